//! What looks wrong in zones: data that is never answered, and names that lead nowhere.

use std::collections::HashSet;

use windrose_model::{DnsName, Invalid, Model, RDataRef, RecordType, RrSet, Zone};

/// Nobody reads more about one zone.
const TOLD: usize = 1_000;

pub(super) fn warnings(model: &Model, found: &mut Vec<Invalid>) {
    let hosts: HashSet<&DnsName> = model
        .apps()
        .iter()
        .flat_map(|(_, app)| &app.hosts)
        .collect();
    for (apex, zone) in model.zones() {
        let mut survey = Survey {
            model,
            hosts: &hosts,
            apex,
            zone,
            cuts: HashSet::new(),
            targets: HashSet::new(),
            found: Vec::new(),
        };
        survey.run();
        found.append(&mut survey.found);
    }
}

struct Survey<'m> {
    model: &'m Model,
    hosts: &'m HashSet<&'m DnsName>,
    apex: &'m DnsName,
    zone: &'m Zone,
    /// Owners of NS below the apex, in wire form.
    cuts: HashSet<&'m [u8]>,
    /// What delegations lead to, in wire form.
    targets: HashSet<&'m [u8]>,
    found: Vec<Invalid>,
}

impl<'m> Survey<'m> {
    fn run(&mut self) {
        let zone = self.zone;
        for (owner, set) in zone.records.iter() {
            if set.record_type() == RecordType::NS && owner != self.apex {
                self.cuts.insert(owner.wire());
                self.targets.extend(set.data().filter_map(RDataRef::target));
            }
        }
        for (owner, set) in zone.records.iter() {
            if self.found.len() >= TOLD {
                return;
            }
            self.occluded(owner, set);
            match set.record_type() {
                RecordType::NS | RecordType::MX | RecordType::SRV => self.targets_of(owner, set),
                RecordType::DS if zone.records.get(owner, RecordType::NS).is_none() => {
                    let message =
                        format!("{owner} has DS records and is not delegated by NS records");
                    self.tell("ds-without-delegation", owner, set, message, None);
                }
                _ => {}
            }
        }
    }

    /// At a delegation stand NS and DS, and below it nothing but addresses of its servers (RFC 1034
    /// section 4.2.1).
    fn occluded(&mut self, owner: &DnsName, set: &RrSet) {
        let rtype = set.record_type();
        let Some(cut) = self.cut_of(owner) else {
            return;
        };
        let is_own = *cut == *owner.wire() && matches!(rtype, RecordType::NS | RecordType::DS);
        let is_glue = matches!(rtype, RecordType::A | RecordType::AAAA)
            && self.targets.contains(owner.wire());
        if !is_own && !is_glue {
            let cut = DnsName::from_wire(cut).map_or_else(String::new, |cut| cut.to_string());
            let message = format!("{owner} {rtype} is never answered: {cut} is delegated");
            self.tell("occluded-record", owner, set, message, None);
        }
    }

    /// The delegation at or above a name that is nearest to the apex.
    fn cut_of(&self, name: &DnsName) -> Option<&'m [u8]> {
        if self.cuts.is_empty() {
            return None;
        }
        let mut found = None;
        let mut rest = name.wire();
        while rest.len() > self.apex.wire().len() {
            found = self.cuts.get(rest).copied().or(found);
            rest = rest.get(usize::from(*rest.first()?) + 1..)?;
        }
        found
    }

    fn targets_of(&mut self, owner: &DnsName, set: &RrSet) {
        let rtype = set.record_type();
        for target in set.data().filter_map(RDataRef::target_name) {
            if !target.is_within(self.apex) || target.wire() == [0] {
                continue;
            }
            let has = |rtype| self.zone.records.get(&target, rtype).is_some();
            let has_address = has(RecordType::A) || has(RecordType::AAAA);
            if has(RecordType::CNAME) {
                let message = format!(
                    "{owner} {rtype} leads to {target}, which is an alias; it must be a name with addresses (RFC 2181 section 10.3)"
                );
                self.tell("target-is-alias", owner, set, message, None);
            } else if rtype == RecordType::NS && !has_address {
                let cut = self.cut_of(&target);
                if cut.is_some_and(|cut| cut == owner.wire()) {
                    let message = format!(
                        "{owner} is delegated to {target}, which lies below it and has no address here: nobody can reach it"
                    );
                    let help = format!("add A or AAAA records of {target} (glue, RFC 9471)");
                    self.tell("missing-glue", owner, set, message, Some(help));
                } else if cut.is_none() && !self.answers(&target) {
                    let message =
                        format!("{owner} NS leads to {target}, which has no address in this zone");
                    let help = format!("add A or AAAA records of {target}");
                    self.tell("ns-without-address", owner, set, message, Some(help));
                }
            }
        }
    }

    /// Whether addresses may come from elsewhere: an app, a wildcard, a DNAME or a deeper zone.
    fn answers(&self, name: &DnsName) -> bool {
        let deeper = |zone: &DnsName| zone != self.apex && zone.is_within(self.apex);
        let mut zones = self.model.zones().iter().map(|(apex, _)| apex);
        let above = std::iter::successors(name.parent(), DnsName::parent);
        self.hosts.contains(name)
            || zones.any(|zone| deeper(zone) && name.is_within(zone))
            || above
                .take_while(|name| name.is_within(self.apex))
                .any(|above| {
                    let star = DnsName::relative("*", &above);
                    self.zone.records.get(&above, RecordType::DNAME).is_some()
                        || star.is_ok_and(|star| {
                            self.zone.records.at(&star).next().is_some()
                                || self.hosts.contains(&star)
                        })
                })
    }

    fn tell(
        &mut self,
        code: &'static str,
        owner: &DnsName,
        set: &RrSet,
        message: String,
        help: Option<String>,
    ) {
        let at = [
            "zones",
            &self.apex.to_string(),
            "records",
            &owner.to_string(),
            &set.record_type().to_string(),
        ];
        self.found.push(Invalid {
            code,
            at: at.map(Into::into).to_vec(),
            message,
            help,
        });
    }
}
