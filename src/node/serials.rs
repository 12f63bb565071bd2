//! Serials of zones: counted where the configuration names none, and kept in the data directory so
//! that they never go back. No clock: a serial is the number of contents that a zone has had.

use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use windrose_model::{DnsName, Model, RecordType, RrSet, Soa, SteeredData, SteeredRecord, Zone};

/// What is known of zones, those that are gone too: one may come back.
#[derive(Debug, Default)]
pub(crate) struct Serials {
    file: PathBuf,
    known: BTreeMap<DnsName, Known>,
}

/// A zone as it was served last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    /// Of its content without the serial.
    fingerprint: u64,
    serial: u32,
}

impl Serials {
    /// Reads what the last run wrote down. Lines that cannot be read are told and left out, and the
    /// file is kept beside as `serials.damaged`.
    ///
    /// # Errors
    /// The file is there and cannot be read: to go on would be to count from 1 again, below what
    /// others have seen.
    pub(crate) fn open(data_dir: &Path) -> Result<Self, SerialsError> {
        let file = data_dir.join("serials");
        let octets = match fs::read(&file) {
            Ok(octets) => octets,
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(source) => return Err(SerialsError { file, source }),
        };
        let mut known = BTreeMap::new();
        let mut bad = Vec::new();
        for (number, line) in (1..).zip(octets.split(|octet| *octet == b'\n')) {
            match read_line(line) {
                Some((apex, of)) => drop(known.insert(apex, of)),
                None if line.is_empty() => {}
                None => bad.push(number),
            }
        }
        if let Some(first) = bad.first() {
            let kept = file.with_extension("damaged");
            let copied = fs::copy(&file, &kept);
            tracing::error!(
                "{}: {} lines cannot be read, the first is line {first}; their zones count from 1 again. {}",
                file.display(),
                bad.len(),
                match copied {
                    Ok(_) => format!("the file as it was is {}", kept.display()),
                    Err(e) => format!("{} cannot be written ({e})", kept.display()),
                }
            );
        }
        Ok(Self { known, file })
    }

    /// Gives each zone in `counted` its serial: that of before while its content is the same, else
    /// the next one. A zone with a serial of its own keeps it; one that should have been raised is
    /// told.
    pub(crate) fn give(
        &mut self,
        model: Model,
        counted: &[DnsName],
        previous: Option<&Model>,
    ) -> Arc<Model> {
        let mut changed = false;
        let counted: BTreeSet<_> = counted.iter().collect();
        let steered = LazyCell::new(|| Steered::of(&model));
        let steered_before = LazyCell::new(|| previous.map(Steered::of).unwrap_or_default());
        let is_steered_as_before = previous.is_some_and(|old| steers_alike(old, &model));
        for (apex, zone) in model.zones() {
            let is_counted = counted.contains(apex);
            let before = self.known.get(apex).copied();
            let same = |old: &Zone| {
                let alike = || steered_before.below(apex) == steered.below(apex);
                same_content(old, zone) && (is_steered_as_before || alike())
            };
            let old = previous.and_then(|model| model.zone(apex));
            let now = match before {
                Some(before) if old.is_some_and(|old| same(old)) => Known {
                    serial: if is_counted {
                        before.serial
                    } else {
                        zone.soa.serial
                    },
                    ..before
                },
                _ => {
                    let now = match (before, old) {
                        (Some(known), Some(old)) => {
                            let moved = moved((known.fingerprint, old), zone);
                            match is_steered_as_before {
                                true => moved,
                                false => moved
                                    .wrapping_sub(print_of_steered(steered_before.below(apex)))
                                    .wrapping_add(print_of_steered(steered.below(apex))),
                            }
                        }
                        _ => fingerprint(zone).wrapping_add(print_of_steered(steered.below(apex))),
                    };
                    next(before, now, is_counted, zone.soa.serial)
                }
            };
            if let Some(before) = before
                && !is_counted
                && before.fingerprint != now.fingerprint
                && !is_greater(now.serial, before.serial)
            {
                tracing::warn!(
                    zone = %apex,
                    serial = now.serial,
                    before = before.serial,
                    "serial-not-raised: the zone's content changed and its serial is not greater than before"
                );
            }
            changed |= before != Some(now);
            self.known.insert(apex.clone(), now);
        }
        if changed {
            self.write();
        }
        drop(steered);
        let serial = |apex: &DnsName| self.known.get(apex).map(|known| known.serial);
        Arc::new(model.with_serials(serial, previous))
    }

    /// What cannot be written is told; the node serves all the same.
    fn write(&self) {
        let lines = self
            .known
            .iter()
            .map(|(apex, known)| format!("{} {:016x} {apex}\n", known.serial, known.fingerprint));
        let text: String = lines.collect();
        if let Err(e) = replace(&self.file, text.as_bytes()) {
            tracing::error!(
                "{} cannot be written ({e}); the node serves, and its next start may give a serial again",
                self.file.display()
            );
        }
    }
}

/// Why serials cannot be read.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot read the serials of zones in {file}: {source}; without them zones would count from 1 again"
)]
pub(crate) struct SerialsError {
    file: PathBuf,
    source: io::Error,
}

/// `serial fingerprint apex`.
fn read_line(line: &[u8]) -> Option<(DnsName, Known)> {
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    let serial = words.next()?.parse().ok()?;
    let fingerprint = u64::from_str_radix(words.next()?, 16).ok()?;
    let apex = DnsName::parse(words.next()?).ok()?;
    let known = Known {
        fingerprint,
        serial,
    };
    Some((apex, known))
}

/// The old file or the new one, whole, whenever the machine stops.
fn replace(file: &Path, octets: &[u8]) -> io::Result<()> {
    let fresh = file.with_extension("new");
    let mut written = File::create(&fresh)?;
    written.write_all(octets)?;
    written.sync_all()?;
    fs::rename(&fresh, file)?;
    match file.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// Whether two Models have the same steered records in the same zones.
fn steers_alike(a: &Model, b: &Model) -> bool {
    let zones = a.zones().iter().zip(b.zones());
    Arc::ptr_eq(a.steered(), b.steered())
        && a.zones().len() == b.zones().len()
        && zones.map(|(a, b)| (&a.0, &b.0)).all(|(a, b)| a == b)
}

/// The steered records of a Model by the zone they lie in.
#[derive(Default)]
struct Steered<'m>(BTreeMap<&'m DnsName, Vec<SteeredEntry<'m>>>);

type SteeredEntry<'m> = &'m ((DnsName, RecordType), SteeredRecord);

impl<'m> Steered<'m> {
    fn of(model: &'m Model) -> Self {
        let mut zones = BTreeMap::<_, Vec<_>>::new();
        for entry in model.steered().iter() {
            let mut above = std::iter::successors(Some(entry.0.0.clone()), DnsName::parent);
            let apex = above.find_map(|name| {
                let at = model.zones().binary_search_by(|(apex, _)| apex.cmp(&name));
                Some(&model.zones()[at.ok()?].0)
            });
            if let Some(apex) = apex {
                zones.entry(apex).or_default().push(entry);
            }
        }
        Self(zones)
    }

    fn below(&self, apex: &DnsName) -> &[SteeredEntry<'m>] {
        self.0.get(apex).map_or(&[], Vec::as_slice)
    }
}

fn next(before: Option<Known>, fingerprint: u64, is_counted: bool, own: u32) -> Known {
    let serial = match before {
        _ if !is_counted => own,
        None => 1,
        Some(before) if before.fingerprint == fingerprint => before.serial,
        // 0 is left out: some take it for no serial.
        Some(before) => before.serial.wrapping_add(1).max(1),
    };
    Known {
        fingerprint,
        serial,
    }
}

/// Serial arithmetic (RFC 1982 section 3.2).
const fn is_greater(a: u32, b: u32) -> bool {
    let ahead = a.wrapping_sub(b);
    ahead != 0 && ahead < 1 << 31
}

fn same_content(a: &Zone, b: &Zone) -> bool {
    let serial = b.soa.serial;
    a.records == b.records
        && Soa {
            serial,
            ..a.soa.clone()
        } == b.soa
}

/// Of content without the serial: a sum over RRsets, so that a change costs what it changes. The same
/// on every machine and with every compiler. It finds changes; it proves nothing against an attacker.
fn fingerprint(zone: &Zone) -> u64 {
    let sets = zone.records.iter().map(|(owner, set)| print(owner, set));
    sets.fold(print_of_start(&zone.soa), u64::wrapping_add)
}

/// The fingerprint of a zone that was another.
fn moved((fingerprint, old): (u64, &Zone), new: &Zone) -> u64 {
    let start = print_of_start(&new.soa).wrapping_sub(print_of_start(&old.soa));
    let changes = old.records.diff(&new.records);
    changes.fold(fingerprint.wrapping_add(start), |sum, change| {
        let print = |set: Option<&RrSet>| set.map_or(0, |set| print(change.owner, set));
        sum.wrapping_sub(print(change.old))
            .wrapping_add(print(change.new))
    })
}

fn print_of_start(soa: &Soa) -> u64 {
    let mut hash = Fnv::new();
    hash.add(soa.mname.wire());
    hash.add(soa.rname.wire());
    for number in [
        soa.refresh,
        soa.retry,
        soa.expire,
        soa.minimum,
        soa.ttl.seconds(),
    ] {
        hash.add(&number.to_be_bytes());
    }
    hash.mixed()
}

fn print(owner: &DnsName, set: &RrSet) -> u64 {
    let mut hash = Fnv::new();
    hash.add(owner.wire());
    hash.add(&set.record_type().code().to_be_bytes());
    hash.add(&set.ttl().seconds().to_be_bytes());
    for data in set.data() {
        // Lengths keep neighbours apart.
        let len = u16::try_from(data.wire().len()).unwrap_or(u16::MAX);
        hash.add(&len.to_be_bytes());
        hash.add(data.wire());
    }
    hash.mixed()
}

/// What clusters answer; the steps that choose one are no content.
fn print_of_steered(steered: &[SteeredEntry<'_>]) -> u64 {
    let mut sum = 0_u64;
    for ((owner, _), record) in steered {
        let mut add = |cluster: &str, set| {
            let mut hash = Fnv::new();
            for name in [record.app.as_str(), cluster] {
                hash.add(name.as_bytes());
                hash.add(&[0]);
            }
            hash.add(&print(owner, set).to_be_bytes());
            sum = sum.wrapping_add(hash.mixed());
        };
        match &record.data {
            SteeredData::ByCluster(sets) => {
                for (cluster, set) in sets {
                    add(cluster.as_str(), set);
                }
            }
            SteeredData::Hints(set) => add("", set),
        }
    }
    sum
}

/// FNV-1a.
struct Fnv(u64);

impl Fnv {
    const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn add(&mut self, octets: &[u8]) {
        for octet in octets {
            self.0 = (self.0 ^ u64::from(*octet)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    /// Its bits in disorder, so that sums of them do not meet (the finaliser of splitmix64).
    const fn mixed(&self) -> u64 {
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use windrose_config::{Loaded, load_text};
    use windrose_model::Revision;

    fn load(serial: &str, address: &str, before: Option<&Model>) -> Loaded {
        let text = format!(
            "{{schema: 1, zones: {{a.example: {{soa: {{mname: ns, rname: me{serial}}}, records: [\
             {{name: '@', type: NS, value: ns}}, {{name: ns, type: A, value: {address}}}]}}}}}}"
        );
        load_text("text", &text, Revision(1), before).unwrap()
    }

    fn serial(serials: &mut Serials, loaded: Loaded, before: Option<&Model>) -> (u32, Arc<Model>) {
        let model = serials.give(loaded.model, &loaded.counted, before);
        (model.zones()[0].1.soa.serial, model)
    }

    #[test]
    fn a_serial_counts_contents_and_survives_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let mut serials = Serials::open(folder.path()).unwrap();
        let (first, model) = serial(&mut serials, load("", "192.0.2.1", None), None);
        let (same, again) = serial(
            &mut serials,
            load("", "192.0.2.1", Some(&model)),
            Some(&model),
        );
        assert_eq!((first, same), (1, 1));
        assert!(
            Arc::ptr_eq(&again.zones()[0].1, &model.zones()[0].1),
            "kept"
        );
        let (second, _) = serial(
            &mut serials,
            load("", "192.0.2.2", Some(&model)),
            Some(&model),
        );
        assert_eq!(second, 2);

        let mut serials = Serials::open(folder.path()).unwrap();
        assert_eq!(
            serial(&mut serials, load("", "192.0.2.2", None), None).0,
            2,
            "same content"
        );
        assert_eq!(
            serial(&mut serials, load("", "192.0.2.1", None), None).0,
            3,
            "never back"
        );
    }

    #[test]
    fn a_serial_of_the_configuration_is_used_and_counted_on_when_it_goes() {
        let folder = tempfile::tempdir().unwrap();
        let mut serials = Serials::open(folder.path()).unwrap();
        let own = load(", serial: 2026010100", "192.0.2.1", None);
        assert_eq!(serial(&mut serials, own, None).0, 2_026_010_100);
        assert_eq!(
            serial(&mut serials, load("", "192.0.2.1", None), None).0,
            2_026_010_100
        );
        assert_eq!(
            serial(&mut serials, load("", "192.0.2.2", None), None).0,
            2_026_010_101
        );
    }

    #[test]
    fn a_line_that_cannot_be_read_costs_no_other_and_the_file_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("serials");
        let octets = b"7 \xff a.example\nnonsense\n41 0000000000000001 a.example\n";
        fs::write(&file, octets).unwrap();
        let mut serials = Serials::open(folder.path()).unwrap();
        assert_eq!(
            serial(&mut serials, load("", "192.0.2.1", None), None).0,
            42
        );
        let kept = folder.path().join("serials.damaged");
        assert_eq!(fs::read(kept).unwrap(), octets);
        let written = fs::read_to_string(file).unwrap();
        assert!(written.starts_with("42 ") && written.lines().count() == 1);
    }

    #[test]
    fn serials_that_cannot_be_read_are_no_fresh_start() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("serials")).unwrap();
        let refused = Serials::open(folder.path()).unwrap_err().to_string();
        assert!(refused.contains("serials of zones in"), "{refused}");
    }

    #[test]
    fn what_any_cluster_answers_is_content() {
        let text = |second: &str| {
            format!(
                "{{schema: 1, regions: {{r: {{lat: 50, lon: 8}}}}, clusters: {{\
                 eu: {{region: r, addresses: [192.0.2.1]}}, us: {{region: r, addresses: [192.0.2.2]}}}}, \
                 apps: {{shop: {{hosts: [shop.a.example], versions: {{v: {{endpoints: \
                 {{eu: ['10.0.0.1:80'], us: ['10.0.0.2:80']}}}}}}}}}}, \
                 zones: {{a.example: {{soa: {{mname: ns, rname: me}}, records: [\
                 {{name: '@', type: NS, value: ns}}, {{name: ns, type: A, value: 192.0.2.9}}, \
                 {{name: mail, type: TXT, app: shop, by_cluster: {{eu: one, us: {second}}}}}]}}}}}}"
            )
        };
        let load = |second, before| load_text("text", &text(second), Revision(1), before).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut serials = Serials::open(folder.path()).unwrap();
        let (first, model) = serial(&mut serials, load("two", None), None);
        let (same, model) = serial(&mut serials, load("two", Some(&model)), Some(&model));
        assert_eq!((first, same), (1, 1));
        let (second, _) = serial(&mut serials, load("three", Some(&model)), Some(&model));
        assert_eq!(second, 2);
        let mut serials = Serials::open(folder.path()).unwrap();
        assert_eq!(serial(&mut serials, load("three", None), None).0, 2);
        assert_eq!(serial(&mut serials, load("two", None), None).0, 3);
    }

    #[test]
    fn serials_wrap_around() {
        let known = |serial| {
            Some(Known {
                fingerprint: 1,
                serial,
            })
        };
        assert_eq!(next(known(u32::MAX), 2, true, 0).serial, 1);
        assert!(is_greater(1, u32::MAX) && !is_greater(u32::MAX, 1) && !is_greater(7, 7));
    }
}
