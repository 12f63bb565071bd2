//! A strict reader of the Prometheus text form 0.0.4: HELP and TYPE before samples, each family
//! once, the same label names in the same order, no sample twice, histograms whole and cumulative.

use std::collections::BTreeSet;

#[derive(Debug, Default)]
pub(crate) struct Family {
    pub(crate) name: String,
    pub(crate) kind: String,
    samples: Vec<Sample>,
}

#[derive(Debug)]
struct Sample {
    /// What follows the family's name: `_bucket`, `_sum`, `_count` or nothing.
    suffix: String,
    labels: Vec<(String, String)>,
    value: f64,
}

impl Family {
    /// Label names, `le` left out.
    pub(crate) fn labels(&self) -> String {
        names(&self.samples[0].labels).join(",")
    }
}

pub(crate) fn parse(text: &str) -> Result<Vec<Family>, String> {
    if !text.ends_with('\n') {
        return Err("does not end in a line feed".to_owned());
    }
    let mut families: Vec<Family> = Vec::new();
    let mut help = None;
    for line in text.lines() {
        let wrong = |why: &str| format!("{why}: {line}");
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, says) = rest.split_once(' ').ok_or_else(|| wrong("no help"))?;
            if says.is_empty() || help.replace(name).is_some() {
                return Err(wrong("help without type, or empty"));
            }
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').ok_or_else(|| wrong("no type"))?;
            if help.take() != Some(name) || families.iter().any(|f| f.name == name) {
                return Err(wrong("type without help, or twice"));
            }
            families.push(Family {
                name: name.to_owned(),
                kind: kind.to_owned(),
                samples: Vec::new(),
            });
        } else {
            let family = families.last_mut().ok_or_else(|| wrong("no type before"))?;
            let sample = sample(line, &family.name).ok_or_else(|| wrong("not a sample"))?;
            family.samples.push(sample);
        }
    }
    for family in &families {
        check(family).map_err(|why| format!("{}: {why}", family.name))?;
    }
    Ok(families)
}

fn check(family: &Family) -> Result<(), &'static str> {
    let first = family.samples.first().ok_or("no samples")?;
    let histogram = family.kind == "histogram";
    if (family.kind == "counter") != family.name.ends_with("_total") {
        return Err("counters, and only they, end in _total");
    }
    let mut seen = BTreeSet::new();
    for sample in &family.samples {
        if names(&sample.labels) != names(&first.labels) {
            return Err("label names differ");
        }
        if !seen.insert((&sample.suffix, &sample.labels)) {
            return Err("a sample twice");
        }
        if histogram == sample.suffix.is_empty() {
            return Err("a suffix does not fit the type");
        }
        if family.kind != "gauge" && sample.value < 0.0 {
            return Err("a negative count");
        }
    }
    if histogram { buckets(family) } else { Ok(()) }
}

fn buckets(family: &Family) -> Result<(), &'static str> {
    let mut last = (f64::NEG_INFINITY, 0.0);
    for sample in &family.samples {
        match sample.suffix.as_str() {
            "_bucket" => {
                let (_, bound) = sample.labels.last().ok_or("no le")?;
                let bound: f64 = bound.parse().map_err(|_| "le is no number")?;
                if bound <= last.0 || sample.value < last.1 {
                    return Err("buckets do not grow");
                }
                last = (bound, sample.value);
            }
            "_sum" if last.0.is_infinite() => {}
            "_count" if last.0.is_infinite() && (sample.value - last.1).abs() < 0.5 => {
                last = (f64::NEG_INFINITY, 0.0);
            }
            _ => return Err("not bucket, sum, count in turn, or count is not the last bucket"),
        }
    }
    Ok(())
}

fn names(labels: &[(String, String)]) -> Vec<&str> {
    let names = labels.iter().map(|(name, _)| name.as_str());
    names.filter(|name| *name != "le").collect()
}

/// `name{label="value",…} number`, without a time.
fn sample(line: &str, family: &str) -> Option<Sample> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, after) = rest.split_once("=\"")?;
            let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
            if !label.chars().all(is_name) || label.is_empty() {
                return None;
            }
            let (value, after) = quoted(after)?;
            labels.push((label.to_owned(), value));
            if let Some(after) = after.strip_prefix('}') {
                rest = after;
                break;
            }
            rest = after.strip_prefix(',')?;
        }
    }
    let value: f64 = rest.strip_prefix(' ')?.parse().ok()?;
    value.is_finite().then_some(Sample {
        suffix: name.strip_prefix(family)?.to_owned(),
        labels,
        value,
    })
}

/// The text up to the closing quote, unescaped, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                c @ ('\\' | '"') => c,
                _ => return None,
            }),
            c => value.push(c),
        }
    }
    None
}

#[test]
fn the_reader_is_strict() {
    let good = "# HELP a_total x\n# TYPE a_total counter\na_total{b=\"c\\\"\"} 1\n";
    assert!(parse(good).is_ok());
    for bad in [
        "a_total 1\n",
        "# TYPE a_total counter\na_total 1\n",
        "# HELP a x\n# TYPE a counter\na 1\n",
        "# HELP a_total x\n# TYPE a_total counter\n",
        "# HELP a_total x\n# TYPE a_total counter\na_total 1\na_total 1\n",
        "# HELP a_total x\n# TYPE a_total counter\na_total{b=\"c} 1\n",
        "# HELP a_total x\n# TYPE a_total counter\na_total{b=\"c\"} 1\na_total{d=\"c\"} 1\n",
        "# HELP a x\n# TYPE a histogram\na_bucket{le=\"1\"} 1\na_sum 1\na_count 1\n",
    ] {
        assert!(parse(bad).is_err(), "{bad}");
    }
}
