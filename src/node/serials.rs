//! Serials of zones: counted where the configuration names none, and kept in the data directory so
//! that they never go back. No clock: a serial is the number of contents that a zone has had.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use windrose_model::{DnsName, Model, RrSet, Soa, Zone};

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
    /// Reads what the last run wrote down; lines that cannot be read are left out.
    pub(crate) fn open(data_dir: &Path) -> Self {
        let file = data_dir.join("serials");
        let text = fs::read_to_string(&file).unwrap_or_default();
        let known = text.lines().filter_map(|line| {
            let mut words = line.split(' ');
            let serial = words.next()?.parse().ok()?;
            let fingerprint = u64::from_str_radix(words.next()?, 16).ok()?;
            let apex = DnsName::parse(words.next()?).ok()?;
            let known = Known {
                fingerprint,
                serial,
            };
            Some((apex, known))
        });
        Self {
            known: known.collect(),
            file,
        }
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
        for (apex, zone) in model.zones() {
            let is_counted = counted.contains(apex);
            let before = self.known.get(apex).copied();
            let same = |model: &Model| {
                let old = model.zone(apex);
                old.is_some_and(|old| same_content(old, zone))
            };
            let now = match before {
                Some(before) if previous.is_some_and(same) => Known {
                    serial: if is_counted {
                        before.serial
                    } else {
                        zone.soa.serial
                    },
                    ..before
                },
                _ => {
                    let old = before.and_then(|known| {
                        let old = previous.and_then(|model| model.zone(apex))?;
                        Some((known.fingerprint, &**old))
                    });
                    let now = old.map_or_else(|| fingerprint(zone), |old| moved(old, zone));
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
        let serial = |apex: &DnsName| self.known.get(apex).map(|known| known.serial);
        Arc::new(model.with_serials(serial, previous))
    }

    /// What cannot be written is told; the node serves all the same.
    fn write(&self) {
        let lines = self
            .known
            .iter()
            .map(|(apex, known)| format!("{} {:016x} {apex}\n", known.serial, known.fingerprint));
        let fresh = self.file.with_extension("new");
        let written = fs::write(&fresh, lines.collect::<String>())
            .and_then(|()| fs::rename(&fresh, &self.file));
        if let Err(e) = written {
            tracing::error!(
                "{} cannot be written ({e}); the node serves, and its next start may give a serial again",
                self.file.display()
            );
        }
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
        let mut serials = Serials::open(folder.path());
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

        let mut serials = Serials::open(folder.path());
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
        let mut serials = Serials::open(folder.path());
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
