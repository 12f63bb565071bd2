//! Reading again against reading everything.

use super::*;
use std::fmt::Write as _;

const YAML: &str = "{schema: 1, zones: {z.test: {file: zone}}}";

/// A folder with a configuration and the master file of its zone.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(zone: &str) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        fs::write(folder.yaml(), YAML).unwrap();
        folder.write(zone);
        folder
    }

    fn yaml(&self) -> PathBuf {
        self.0.path().join("windrose.yaml")
    }

    /// Written beside and moved into its place, as editors do: another inode.
    fn write(&self, zone: &str) {
        let (fresh, file) = (self.0.path().join("fresh"), self.0.path().join("zone"));
        fs::write(&fresh, zone).unwrap();
        fs::rename(fresh, file).unwrap();
    }
}

#[allow(clippy::disallowed_methods, reason = "files are written by this clock")]
fn now() -> SystemTime {
    SystemTime::now()
}

/// Lines of a zone: relative names, `$ORIGIN`, `$TTL`, owners left out, several records of a set.
fn lines(count: u32) -> Vec<String> {
    let mut lines = vec![
        "$TTL 300".to_owned(),
        "@ SOA ns root ( 7 ; serial".to_owned(),
        "  1 1 1 60 )".to_owned(),
        "@ NS ns".to_owned(),
        "ns A 192.0.2.53".to_owned(),
        "@ MX 10 h00007".to_owned(),
    ];
    for n in 0..count {
        if n % 997 == 0 {
            lines.push(format!("$ORIGIN o{n}.z.test."));
        }
        lines.push(format!("h{n:05} A 10.0.{}.{}", n >> 8 & 255, n & 255));
        if n % 7 == 0 {
            lines.push(format!(" A 10.1.{}.{}", n >> 8 & 255, n & 255));
        }
    }
    // The name that MX leads to.
    lines.insert(6, "h00007 A 192.0.2.7".to_owned());
    lines
}

fn text(lines: &[String]) -> String {
    lines.iter().fold(String::new(), |mut text, line| {
        writeln!(text, "{line}").unwrap();
        text
    })
}

/// Reads again after a change; what came of it is what reading everything gives. Whether only what is
/// new was read.
fn again(reader: &mut Reader, folder: &Folder, before: &mut Model) -> bool {
    let revision = Revision(before.revision().0 + 1);
    let all = crate::load(&folder.yaml(), revision, None);
    let short = reader.last.as_ref().is_some_and(|last| {
        let mut last = last.clone();
        last.again(&folder.yaml(), revision, before, now())
            .is_some()
    });
    match (
        reader.load(&folder.yaml(), revision, Some(before), now()),
        all,
    ) {
        (Ok(read), Ok(all)) => {
            assert_eq!(read.model.zones(), all.model.zones());
            assert_eq!(read.warnings, all.warnings);
            assert_eq!(read.counted, all.counted);
            *before = read.model;
        }
        (Err(read), Err(all)) => assert_eq!(read.to_string(), all.to_string()),
        (read, all) => panic!("{:?} {:?}", read.err(), all.err()),
    }
    short
}

fn first(zone: &str) -> (Folder, Reader, Model) {
    let folder = Folder::new(zone);
    let mut reader = Reader::default();
    let loaded = reader
        .load(&folder.yaml(), Revision(1), None, now())
        .unwrap();
    assert!(reader.last.is_some(), "{:?}", loaded.warnings);
    (folder, reader, loaded.model)
}

#[test]
fn of_a_large_zone_only_what_is_new_is_read() {
    let mut lines = lines(4_000);
    let (folder, mut reader, mut model) = first(&text(&lines));
    let mut change = |lines: &[String]| {
        folder.write(&text(lines));
        again(&mut reader, &folder, &mut model)
    };
    assert!(change(&lines), "nothing");
    lines[3_000] = "h99999 A 192.0.2.1".to_owned();
    assert!(change(&lines), "a line");
    lines[1] = "@ SOA ns root ( 8 ; serial".to_owned();
    lines.insert(1_500, "fresh TXT \"one ( two\"".to_owned());
    assert!(change(&lines), "the serial, and a line far from it");
    lines.push("last 60 A 192.0.2.2".to_owned());
    assert!(change(&lines), "a line at the end");
    lines.drain(2_000..2_040);
    assert!(change(&lines), "fewer lines");
    lines.pop();
    assert!(change(&lines), "the last one goes");
    lines.push("last MX 10 ns.z.test.".to_owned());
    assert!(change(&lines), "one that leads somewhere");
    lines.push("alias CNAME last".to_owned());
    assert!(change(&lines), "an alias");
    lines.insert(6, "alias2 CNAME h00007".to_owned());
    assert!(change(&lines), "another");
    lines.remove(6);
    assert!(change(&lines), "and it goes");
}

#[test]
fn an_alias_that_closes_a_circle_or_loses_its_target_is_told_when_read_again() {
    let mut lines = lines(600);
    for line in ["b.z.test. CNAME c.z.test.", "c.z.test. A 192.0.2.1"] {
        lines.insert(6, line.to_owned());
    }
    lines[6] = "c.z.test. CNAME h00007.z.test.".to_owned();
    let check = |line: &str, code: &str| {
        let (folder, mut reader, mut model) = first(&text(&lines));
        let mut other = lines.clone();
        other[6] = line.to_owned();
        folder.write(&text(&other));
        assert!(!again(&mut reader, &folder, &mut model), "{line}");
        let loaded = crate::load(&folder.yaml(), Revision(9), None).unwrap();
        let told = loaded.warning_report().to_string();
        assert!(told.contains(code), "{told}");
    };
    check("c.z.test. CNAME b.z.test.", "alias-circle");
    check("d.z.test. A 192.0.2.1", "missing-target");
}

#[test]
fn what_a_part_cannot_tell_is_read_in_full() {
    let lines = lines(600);
    let check = |what: &str, change: &dyn Fn(&mut Vec<String>)| {
        let (folder, mut reader, mut model) = first(&text(&lines));
        let mut other = lines.clone();
        change(&mut other);
        folder.write(&text(&other));
        assert!(!again(&mut reader, &folder, &mut model), "{what}");
        // And back, whatever was said.
        folder.write(&text(&lines));
        again(&mut reader, &folder, &mut model);
    };
    check("an error", &|l| l[400] = "x A nonsense".to_owned());
    check("a warning", &|l| l[400] = "x.z.test A 192.0.2.1".to_owned());
    check("MX leads to an alias", &|l| {
        l[6] = "h00007 CNAME ns".to_owned()
    });
    check("a target that is not there", &|l| {
        l.push("www.z.test. CNAME nobody.z.test.".to_owned());
    });
    check("the target of another goes", &|l| {
        l[6] = "h00008 A 192.0.2.7".to_owned()
    });
    check("a delegation", &|l| {
        l.push("cut.z.test. NS ns.z.test.".to_owned())
    });
    check("records of a set elsewhere", &|l| {
        l.push("ns.z.test. A 192.0.2.54".to_owned());
    });
    check("refused by the Model", &|l| {
        l.push("ns.z.test. CNAME h00007.z.test.".to_owned());
    });
    check("a second SOA", &|l| {
        l.push("z.test. SOA ns root 9 1 1 1 60".to_owned());
    });
    check("most of it", &|l| {
        *l = text(l)
            .replace(" A 10.", " A 11.")
            .lines()
            .map(str::to_owned)
            .collect();
    });
    check("an include", &|l| l.push("$INCLUDE other".to_owned()));
    check("an open parenthesis", &|l| l[400] = "x TXT ( a".to_owned());
}

#[test]
fn random_edits_come_to_what_reading_everything_gives() {
    let mut dice = 7_u64;
    let mut below = |bound: usize| {
        dice = dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(dice >> 33).unwrap() % bound
    };
    let mut good = lines(600);
    let (folder, mut reader, mut model) = first(&text(&good));
    let (mut short, mut full) = (0, 0);
    for step in 0..100 {
        let mut lines = good.clone();
        for _ in 0..=below(3) {
            let at = 6 + below(lines.len() - 6);
            let line = match below(8) {
                0 => format!(" TXT t{step}"),
                1 => format!("$ORIGIN s{}.z.test.", below(3)),
                2 => format!("$TTL {}", 60 + below(2)),
                3 => "; a comment (".to_owned(),
                4 => format!("p{step} TXT ( \"a\" ; x\n b )"),
                _ => format!("n{step}-{} {} A 192.0.2.1", below(99), 300 + below(2)),
            };
            match below(3) {
                0 => drop(lines.remove(at)),
                1 => lines[at] = line,
                _ => lines.insert(at, line),
            }
        }
        folder.write(&text(&lines));
        match again(&mut reader, &folder, &mut model) {
            true => short += 1,
            false => full += 1,
        }
        // A text of which something is to be said would be read in full for ever.
        if reader.last.is_some() {
            good = lines;
        } else {
            folder.write(&text(&good));
            again(&mut reader, &folder, &mut model);
        }
    }
    assert!(
        short > 20 && full > 10,
        "{short} read in part, {full} in full"
    );
}

#[test]
fn a_change_of_anything_else_is_read_in_full() {
    let (folder, mut reader, mut model) = first(&text(&lines(100)));
    fs::write(folder.yaml(), YAML.replace("zone}", "zone, ttl: 60}")).unwrap();
    assert!(!again(&mut reader, &folder, &mut model));
    // Another Model is in force than the latest that was read.
    let mut other = crate::load(&folder.yaml(), Revision(9), None)
        .unwrap()
        .model;
    assert!(!again(&mut reader, &folder, &mut other));
}
