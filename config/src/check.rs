//! The lenient pass: a tree against the table of keys. Tells every unknown key, missing key, wrong type
//! and malformed value, and remembers where, so that later passes do not blame what follows from it.

use std::collections::HashMap;

use windrose_model::Segment;

use crate::country;
use crate::language::ROOT;
use crate::problem::Problem;
use crate::scalar::{Bad, Reason, Scalar};
use crate::shape::{Field, Mapping, Need, Rule, Shape};
use crate::source::Span;
use crate::tree::{Entry, Node, Value};
use windrose_model::meant;

/// What the lenient pass found.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    pub(crate) problems: Vec<Problem>,
    /// Paths at which something could not be read.
    pub(crate) tainted: Vec<Vec<Segment>>,
}

/// Checks a whole document.
pub(crate) fn check(root: &Node) -> Checked {
    let mut checker = Checker {
        path: Vec::new(),
        found: Checked::default(),
    };
    checker.value(root, &ROOT, root.span);
    checker.found
}

struct Checker<'t> {
    path: Vec<Step<'t>>,
    found: Checked,
}

#[derive(Clone, Copy)]
enum Step<'t> {
    Key(&'t str),
    Index(usize),
}

impl<'t> Checker<'t> {
    fn tell(&mut self, problem: Problem) {
        self.taint(None);
        self.found.problems.push(problem);
    }

    /// Marks the path, or a key below it, as unreadable.
    fn taint(&mut self, key: Option<&str>) {
        let path = self.path.iter().map(|step| match *step {
            Step::Key(key) => Segment::from(key),
            Step::Index(index) => Segment::from(index),
        });
        self.found
            .tainted
            .push(path.chain(key.map(Segment::from)).collect());
    }

    /// `owner` is where a missing key is told: the key of this value.
    fn value(&mut self, node: &'t Node, shape: &'static Shape, owner: Span) {
        match (shape, &node.value) {
            (Shape::Scalar(scalar) | Shape::Either(scalar, _), Value::Scalar { text, plain })
                if !node.is_null() =>
            {
                match scalar.check(text, *plain) {
                    Ok(()) => self.country(*scalar, text, node.span),
                    Err(bad) => self.bad_value(node.span, text, bad, shape),
                }
            }
            (Shape::Either(_, other), Value::List(_) | Value::Mapping(_)) => {
                self.value(node, other, owner);
            }
            (Shape::List(items) | Shape::OneOrMany(items), Value::List(nodes)) => {
                for (i, item) in nodes.iter().enumerate() {
                    self.path.push(Step::Index(i));
                    self.value(item, items, item.span);
                    self.path.pop();
                }
            }
            (Shape::OneOrMany(one), _) => self.value(node, one, owner),
            (Shape::Mapping(mapping), Value::Mapping(entries)) => {
                self.mapping(entries, mapping, owner);
            }
            (Shape::Map(keys, values), Value::Mapping(entries)) => {
                self.map(entries, *keys, values);
            }
            (Shape::List(_) | Shape::Map(..), _) if node.is_null() => {}
            (Shape::Mapping(mapping), _) if node.is_null() => self.mapping(&[], mapping, owner),
            _ => self.wrong_type(node, shape),
        }
    }

    fn mapping(&mut self, entries: &'t [Entry], mapping: &'static Mapping, owner: Span) {
        for entry in entries {
            match mapping.field(&entry.key) {
                None => self.unknown_key(entry, mapping),
                Some(field) if field.need == Need::Later => {
                    let key = &entry.key;
                    let message = format!("`{key}` comes with a later version of windrose");
                    self.path.push(Step::Key(key));
                    self.tell(Problem::error("not-available", entry.key_span, message));
                    self.path.pop();
                }
                Some(field) => {
                    self.path.push(Step::Key(&entry.key));
                    self.value(&entry.value, &field.shape, entry.key_span);
                    self.path.pop();
                }
            }
        }
        for field in mapping.fields.iter().filter(|f| f.need == Need::Required) {
            if !entries.iter().any(|e| &*e.key == field.key) {
                self.missing_key(field, mapping, owner);
            }
        }
        self.rule(entries, mapping, owner);
    }

    fn rule(&mut self, entries: &[Entry], mapping: &Mapping, owner: Span) {
        let (keys, least) = match mapping.rule {
            Rule::Any => return,
            Rule::ExactlyOne(keys) => (keys, 1),
            Rule::AtMostOne(keys) => (keys, 0),
        };
        let written: Vec<_> = entries.iter().filter(|e| keys.contains(&&*e.key)).collect();
        let noun = mapping.noun;
        if let [first, second, ..] = written[..] {
            let message = format!(
                "{noun} cannot have both `{}` and `{}`",
                first.key, second.key
            );
            self.tell(
                Problem::error("keys-exclude-each-other", second.key_span, message)
                    .related(first.key_span, "the other is at"),
            );
        }
        // An unknown or later key in its place was told already.
        let only_known = entries
            .iter()
            .all(|e| mapping.field(&e.key).is_some_and(|f| f.need != Need::Later));
        if written.len() < least && only_known {
            let message = format!("{noun} needs one of {}", listed(keys.iter().copied()));
            self.tell(Problem::error("missing-key", owner, message));
        }
    }

    fn map(&mut self, entries: &'t [Entry], keys: Scalar, values: &'static Shape) {
        let mut seen: HashMap<String, Span> = HashMap::new();
        for entry in entries {
            self.path.push(Step::Key(&entry.key));
            if let Err(bad) = keys.check(&entry.key, true) {
                let text = short(&entry.key);
                let message = match bad.reason {
                    Reason::Kind => format!("the key \"{text}\" must be {}", keys.description()),
                    Reason::Because(reason) => format!("the key \"{text}\" is refused: {reason}"),
                };
                self.tell(Problem::error(bad.code, entry.key_span, message).maybe_help(bad.help));
            } else if let Some(first) = seen.insert(keys.canonical(&entry.key), entry.key_span) {
                let message = format!("`{}` is written twice", entry.key);
                self.tell(
                    Problem::error("duplicate-key", entry.key_span, message)
                        .related(first, "first written at"),
                );
            }
            self.country(keys, &entry.key, entry.key_span);
            self.value(&entry.value, values, entry.key_span);
            self.path.pop();
        }
    }

    /// A country nobody comes from is probably a slip, and a fence for it binds nobody.
    fn country(&mut self, scalar: Scalar, text: &str, span: Span) {
        let code = text.to_ascii_uppercase();
        if scalar != Scalar::Country || code.len() != 2 || country::is_assigned(&code) {
            return;
        }
        let message = format!("`{text}` is no country of ISO 3166-1, so it matches no client");
        let help = country::usual_slip(&code).map(|meant| format!("did you mean `{meant}`?"));
        self.found
            .problems
            .push(Problem::warning("unknown-country", span, message).maybe_help(help));
    }

    fn unknown_key(&mut self, entry: &'t Entry, mapping: &Mapping) {
        let key = &*entry.key;
        let near = meant(key, mapping.keys());
        if near.is_some() {
            self.taint(near);
        }
        let help = match (near, &ROOT.places_of(key)[..]) {
            _ if key == "<<" => {
                "merge keys are not supported; an alias may stand for a whole value".to_owned()
            }
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, [place]) if place.is_empty() => format!("`{key}` stands at the top level"),
            (None, [place]) => format!("`{key}` is a key of {place}"),
            _ => match listed(mapping.keys()) {
                keys if keys.is_empty() => "it has no keys".to_owned(),
                keys => format!("known: {keys}"),
            },
        };
        let message = format!("{} has no key `{}`", mapping.noun, short(key));
        self.path.push(Step::Key(key));
        self.tell(Problem::error("unknown-key", entry.key_span, message).help(help));
        self.path.pop();
    }

    fn missing_key(&mut self, field: &Field, mapping: &Mapping, owner: Span) {
        self.taint(Some(field.key));
        let message = format!("{} needs the key `{}`", mapping.noun, field.key);
        let help = format!("add `{}`, {}", field.key, field.shape.description());
        self.found
            .problems
            .push(Problem::error("missing-key", owner, message).help(help));
    }

    fn wrong_type(&mut self, node: &Node, shape: &Shape) {
        let is = match &node.value {
            _ if node.is_null() => "empty",
            Value::Scalar { .. } => "a single value",
            Value::List(_) => "a list",
            Value::Mapping(_) => "a mapping",
        };
        let message = format!(
            "{} is {is}, must be {}",
            self.subject(),
            shape.description()
        );
        let help = match (shape, node.text()) {
            (Shape::List(Shape::Scalar(_) | Shape::Either(..)), Some(text)) => {
                Some(format!("write [\"{}\"]", short(text)))
            }
            (Shape::Mapping(mapping), Some(text)) if mapping.field(text).is_some() => {
                Some(format!("write {{{text}: …}}"))
            }
            _ => None,
        };
        self.tell(Problem::error("wrong-type", node.span, message).maybe_help(help));
    }

    fn bad_value(&mut self, span: Span, text: &str, bad: Bad, shape: &Shape) {
        let subject = self.subject();
        let text = short(text);
        let message = match bad.reason {
            Reason::Kind => format!("{subject} is \"{text}\", must be {}", shape.description()),
            Reason::Because(reason) => format!("{subject} is \"{text}\": {reason}"),
        };
        self.tell(Problem::error(bad.code, span, message).maybe_help(bad.help));
    }

    /// What the value at the path is called.
    fn subject(&self) -> String {
        match self.path[..] {
            [.., Step::Key(key)] => format!("`{}`", short(key)),
            [.., Step::Key(key), Step::Index(i)] => format!("item {} of `{}`", i + 1, short(key)),
            [.., Step::Index(i)] => format!("item {}", i + 1),
            [] => "the document".to_owned(),
        }
    }
}

fn listed<'a>(keys: impl Iterator<Item = &'a str>) -> String {
    keys.map(|k| format!("`{k}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// At most 60 characters of a text, on one line.
fn short(text: &str) -> String {
    let mut shown: String = text.chars().take(60).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown.replace('\n', "\\n")
}
