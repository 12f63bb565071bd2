//! What looks wrong in zones: data that is never answered, and names that lead nowhere.

use std::collections::{BTreeSet, HashSet};

use windrose_model::{DnsName, Invalid, Model, RDataRef, RecordType, RrSet, Zone};

use super::leads::{Endless, Names, is_alias, leads};

/// Nobody reads more about one zone.
const TOLD: usize = 1_000;

pub(super) fn warnings(model: &Model, found: &mut Vec<Invalid>) {
    let names = Names::of(model);
    for (apex, zone) in model.zones() {
        let mut survey = Survey::new(&names, apex, zone);
        survey.run();
        found.append(&mut survey.found);
    }
}

/// Sets that lead to names of ours: what else may look wrong when a record comes or goes.
pub(crate) fn pointers(model: &Model) -> BTreeSet<Pointer> {
    let names = Names::of(model);
    let zones = model.zones().iter();
    let sets = zones.flat_map(|(apex, zone)| {
        let sets = zone.records.iter();
        let counts = |owner: &DnsName, set: &RrSet| match set.record_type() {
            // Where zones end, wherever it leads.
            RecordType::NS => true,
            rtype => leads(rtype) && names.stays(owner, set),
        };
        let sets = sets.filter(move |(owner, set)| counts(owner, set));
        sets.map(move |(owner, set)| (apex.clone(), owner.clone(), set.record_type()))
    });
    sets.take(POINTERS + 1).collect()
}

/// Zone, owner and type.
pub(crate) type Pointer = (DnsName, DnsName, RecordType);

/// More than these are not gone through at each change.
pub(crate) const POINTERS: usize = 16_384;

/// Whether something looks wrong since these sets of a zone came or went, in a Model in which nothing
/// did before. No delegation and no DNAME is among them.
pub(crate) fn is_suspicious(
    model: &Model,
    apex: &DnsName,
    changed: &[(DnsName, RecordType)],
    pointers: &BTreeSet<Pointer>,
) -> bool {
    let names = Names::of(model);
    let looks_wrong = |of: &DnsName, zone: &Zone| {
        // No owner in a zone comes before its apex.
        let pointing = pointers.range((of.clone(), of.clone(), RecordType::new(0))..);
        let pointing = pointing.take_while(|(zone, ..)| zone == of);
        let pointing = pointing.map(|(_, owner, rtype)| (owner, *rtype));
        let changed = if of == apex { changed } else { &[] };
        let mut survey = Survey::new(&names, of, zone);
        let servers = |(_, rtype): &(&DnsName, RecordType)| *rtype == RecordType::NS;
        for (owner, rtype) in pointing.clone().filter(servers) {
            if let Some(set) = zone.records.get(owner, rtype) {
                survey.delegation(owner, set);
            }
        }
        for (owner, rtype) in changed.iter().map(|(o, t)| (o, *t)).chain(pointing) {
            if let Some(set) = zone.records.get(owner, rtype) {
                survey.look(owner, set);
            }
        }
        !survey.found.is_empty()
    };
    // One zone may lead into another.
    let mut zones = model.zones().iter();
    zones.any(|(of, zone)| looks_wrong(of, zone))
}

struct Survey<'m> {
    names: &'m Names<'m>,
    apex: &'m DnsName,
    zone: &'m Zone,
    /// Owners of NS below the apex, in wire form.
    cuts: HashSet<&'m [u8]>,
    /// What delegations lead to, in wire form.
    targets: HashSet<&'m [u8]>,
    found: Vec<Invalid>,
}

impl<'m> Survey<'m> {
    fn new(names: &'m Names<'m>, apex: &'m DnsName, zone: &'m Zone) -> Self {
        Self {
            names,
            apex,
            zone,
            cuts: HashSet::new(),
            targets: HashSet::new(),
            found: Vec::new(),
        }
    }

    fn run(&mut self) {
        let zone = self.zone;
        for (owner, set) in zone.records.iter() {
            if set.record_type() == RecordType::NS {
                self.delegation(owner, set);
            }
        }
        for (owner, set) in zone.records.iter() {
            if self.found.len() >= TOLD {
                return;
            }
            self.look(owner, set);
        }
    }

    fn delegation(&mut self, owner: &'m DnsName, servers: &'m RrSet) {
        if owner != self.apex {
            self.cuts.insert(owner.wire());
            let targets = servers.data().filter_map(RDataRef::target);
            self.targets.extend(targets);
        }
    }

    fn look(&mut self, owner: &DnsName, set: &RrSet) {
        let is_occluded = self.occluded(owner, set);
        match set.record_type() {
            rtype if leads(rtype) => {
                if !is_alias(rtype) {
                    self.targets_of(owner, set);
                }
                if !is_occluded {
                    self.nowhere(owner, set);
                    self.endless(owner, set);
                }
            }
            RecordType::DS if self.zone.records.get(owner, RecordType::NS).is_none() => {
                let message = format!("{owner} has DS records and is not delegated by NS records");
                self.tell("ds-without-delegation", owner, set, message, None);
            }
            _ => {}
        }
    }

    /// At a delegation stand NS and DS, and below it nothing but addresses of its servers (RFC 1034
    /// section 4.2.1).
    fn occluded(&mut self, owner: &DnsName, set: &RrSet) -> bool {
        let rtype = set.record_type();
        let Some(cut) = self.cut_of(owner) else {
            return false;
        };
        let is_own = *cut == *owner.wire() && matches!(rtype, RecordType::NS | RecordType::DS);
        let is_glue = matches!(rtype, RecordType::A | RecordType::AAAA)
            && self.targets.contains(owner.wire());
        if !is_own && !is_glue {
            let cut = DnsName::from_wire(cut).map_or_else(String::new, |cut| cut.to_string());
            let message = format!("{owner} {rtype} is never answered: {cut} is delegated");
            self.tell("occluded-record", owner, set, message, None);
        }
        !is_own
    }

    /// Targets in our zones that do not exist. Of NS inside the own zone more is asked: an address.
    fn nowhere(&mut self, owner: &DnsName, set: &RrSet) {
        let rtype = set.record_type();
        let names = self.names;
        for target in names.targets(owner, set) {
            let told = |zone: &DnsName| rtype == RecordType::NS && zone == self.apex;
            let Some(zone) = names.missing_in(&target).filter(|zone| !told(zone)) else {
                continue;
            };
            let message =
                format!("{owner} {rtype} leads to {target}, which does not exist in zone {zone}");
            let help = format!("add records of {target}, or name one that is there");
            self.tell("missing-target", owner, set, message, Some(help));
        }
    }

    /// Aliases that no answer comes to the end of.
    fn endless(&mut self, owner: &DnsName, set: &RrSet) {
        let rtype = set.record_type();
        if !is_alias(rtype) {
            return;
        }
        match self.names.endless(owner, set) {
            Some(Endless::Circle(names)) => {
                let names: Vec<String> = names.iter().map(DnsName::to_string).collect();
                let message = format!(
                    "{owner} {rtype} leads in a circle: {}, {owner}",
                    names.join(", ")
                );
                self.tell("alias-circle", owner, set, message, None);
            }
            Some(Endless::TooFar) => {
                let message = format!(
                    "{owner} {rtype} leads through more than 8 aliases: an answer ends before"
                );
                self.tell("alias-too-far", owner, set, message, None);
            }
            None => {}
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
        let mut zones = self.names.model.zones().iter().map(|(apex, _)| apex);
        let above = std::iter::successors(name.parent(), DnsName::parent);
        self.names.is_host(name)
            || zones.any(|zone| deeper(zone) && name.is_within(zone))
            || above
                .take_while(|name| name.is_within(self.apex))
                .any(|above| {
                    let star = DnsName::relative("*", &above);
                    self.zone.records.get(&above, RecordType::DNAME).is_some()
                        || star.is_ok_and(|star| {
                            self.zone.records.at(&star).next().is_some()
                                || self.names.is_host(&star)
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
