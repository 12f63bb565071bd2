//! CPU of a node with 1,000,000 names and 10,000 steered apps: its start without reading files, what
//! one changed record costs from the Model to the published Table, and lookups against those among
//! 1,000 names. `cargo bench -p windrose-control --bench million`; the bars are 50 ms for a changed
//! record, and 1.5 times the cost of a lookup among 1,000 names.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measuring program"
)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::time::ClockId;
use windrose_control::event::{Effect, Event};
use windrose_control::{Controller, Options};
use windrose_model::{
    App, Cluster, Coordinates, DnsName, Draft, Model, Name, Now, Percent, RData, RecordEdit,
    Region, Revision, RrSet, Soa, Split, Ttl, Version, WallTime, Weight, Zone,
};
use windrose_routing::{Data, Lookup, Publisher, SlotBook, Table, compile};

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const NAMES: u32 = 1_000_000;
const APPS: u32 = 10_000;
const CLUSTERS: u8 = 3;
const TIMES: u32 = 9;
const LOOKUPS: u32 = 2_000_000;

fn main() {
    let apex = DnsName::parse("example.com").unwrap();
    let wanted = draft(&apex, NAMES, APPS);
    let spent = cpu();
    let model = Arc::new(Model::build(wanted, Revision(1), None).unwrap());
    say("Model checked", spent);
    let now = Now {
        mono: Instant::now(),
        wall: WallTime(0),
    };
    let spent = cpu();
    let data = Arc::new(Data::nothing());
    let mut controller = Controller::new(now, Arc::clone(&model), data, &Options::default());
    say("controller", spent);
    let spent = cpu();
    let mut book = SlotBook::new();
    let slots = book.assign(&model, 1);
    say("slots", spent);
    let spent = cpu();
    let inputs = controller.inputs();
    let table = compile(&model, &inputs.status, &inputs.data, &slots, None);
    say("full compile", spent);
    println!("{:<34} {:>7} MiB", "resident, draft and all", resident());

    let lookups = |table: &Table, names| {
        let costs = (0..5).map(|_| look(table, names));
        costs.fold(f64::MAX, f64::min)
    };
    let large = lookups(&table, NAMES);
    let small = small(&apex);
    let small = lookups(&small, 1_000);
    println!("{:<34} {:>10.1} ns", "a lookup among 1,000 names", small);
    println!("{:<34} {:>10.1} ns", "among 1,000,000", large);

    let mut publisher = Publisher::new(table).0;
    let mut in_force = model;
    let mut costs: Vec<_> = (2..2 + TIMES)
        .map(|nth| {
            let (model, cost) = change(
                &mut controller,
                &mut book,
                &mut publisher,
                &in_force,
                &apex,
                nth,
                now,
            );
            in_force = model;
            cost
        })
        .collect();
    costs.sort_by_key(Cost::all);
    let (least, median) = (&costs[0], &costs[costs.len() / 2]);
    for (which, cost) in [("least", least), ("median", median)] {
        println!(
            "one record changed, {which:<14} {:>10.2?}  (Model {:.2?}, slots and compile {:.2?}, control and publish {:.2?})",
            cost.all(),
            cost.model,
            cost.compile,
            cost.publish,
        );
    }
    println!("{:<34} {:>7} MiB", "resident", resident());
}

/// Where the CPU of one changed record goes.
struct Cost {
    model: Duration,
    compile: Duration,
    publish: Duration,
}

impl Cost {
    fn all(&self) -> Duration {
        self.model + self.compile + self.publish
    }
}

/// One record is another: what the node does from there to the published Table, the old one's
/// freeing included.
fn change(
    controller: &mut Controller,
    book: &mut SlotBook,
    publisher: &mut Publisher,
    in_force: &Model,
    apex: &DnsName,
    nth: u32,
    now: Now,
) -> (Arc<Model>, Cost) {
    let began = cpu();
    let owner = name_of(nth * 104_729 % NAMES);
    let set = RrSet::single(Ttl::new(60).unwrap(), &RData::a(nth.into()));
    let edit = RecordEdit::Put(DnsName::from_wire(&owner).unwrap(), set);
    let revision = Revision(u64::from(nth));
    let model = in_force.with_records(revision, apex, [edit]).unwrap();
    let model = Arc::new(model);
    let built = cpu();
    let mut effects = Vec::new();
    let data = controller.inputs().data;
    let apply = Event::ApplyModel(Arc::clone(&model), data);
    controller.handle(now, apply, &mut effects);
    let job = effects.iter().find_map(|effect| match effect {
        Effect::Compute(job, inputs) => Some((*job, inputs.clone())),
        _ => None,
    });
    let (job, inputs) = job.unwrap();
    let applied = cpu();
    let slots = book.assign(&inputs.model, revision.0);
    let previous = Arc::clone(publisher.current());
    let next = compile(
        &inputs.model,
        &inputs.status,
        &inputs.data,
        &slots,
        Some(&previous),
    );
    drop((previous, inputs));
    let compiled = cpu();
    effects.clear();
    controller.handle(now, Event::Computed(job), &mut effects);
    let publish = effects.into_iter().find_map(|effect| match effect {
        Effect::Publish(inputs) => Some(inputs),
        _ => None,
    });
    let inputs = publish.unwrap();
    let table = compile(
        &inputs.model,
        &inputs.status,
        &inputs.data,
        &slots,
        Some(&next),
    );
    drop(next);
    publisher.publish(table).unwrap();
    publisher.sweep();
    let published = cpu();
    let cost = Cost {
        model: built - began,
        compile: compiled - applied,
        publish: (applied - built) + (published - compiled),
    };
    assert_eq!(
        (model.checked().sets, model.checked().apps),
        (1, 0),
        "only the record was looked at"
    );
    (model, cost)
}

fn draft(apex: &DnsName, names: u32, apps: u32) -> Draft {
    let ttl = Ttl::new(60).unwrap();
    let name = |text: &str| Name::new(text).unwrap();
    let soa = Soa {
        mname: apex.clone(),
        rname: apex.clone(),
        serial: 1,
        refresh: 3_600,
        retry: 600,
        expire: 604_800,
        minimum: 60,
        ttl,
    };
    let servers = (apex.clone(), RrSet::single(ttl, &RData::ns(apex)));
    let hosts = (0..names).map(|n| {
        let owner = DnsName::from_wire(&name_of(n)).unwrap();
        (owner, RrSet::single(ttl, &RData::a(n.into())))
    });
    let records = std::iter::once(servers).chain(hosts).collect();
    let mut draft = Draft::default();
    draft.zones.insert(apex.clone(), Zone { soa, records });
    let region = Region {
        location: Coordinates::new(50.0, 8.0).unwrap(),
        country: None,
    };
    draft.regions.insert(name("r"), region);
    for cluster in 0..CLUSTERS {
        let entry = Cluster {
            region: name("r"),
            addresses: vec![[192, 0, 2, cluster].into()],
            class: None,
            cost_thousandths: 0,
            dial: Percent::FULL,
            drain: false,
        };
        draft.clusters.insert(name(&format!("c{cluster}")), entry);
    }
    for app in 0..apps {
        let [_, _, high, low] = app.to_be_bytes();
        let endpoints: BTreeMap<_, _> = (0..CLUSTERS)
            .map(|cluster| {
                let address = ([10, cluster, high, low], 8_000).into();
                (name(&format!("c{cluster}")), vec![address])
            })
            .collect();
        let entry = App::new(
            vec![DnsName::parse(&format!("app{app}.example.com")).unwrap()],
            [(name("v1"), Version::at(endpoints))].into(),
            Split([(name("v1"), Weight::ONE)].into()),
        );
        draft.apps.insert(name(&format!("app{app}")), entry);
    }
    draft
}

fn small(apex: &DnsName) -> Table {
    let model = Model::build(draft(apex, 1_000, 0), Revision(1), None).unwrap();
    let slots = SlotBook::new().assign(&model, 1);
    compile(&model, &Default::default(), &Data::nothing(), &slots, None)
}

/// `h0004711.example.com` in wire form.
fn name_of(n: u32) -> Vec<u8> {
    let label = format!("h{n:07}");
    let mut wire = vec![u8::try_from(label.len()).unwrap()];
    wire.extend_from_slice(label.as_bytes());
    wire.extend_from_slice(b"\x07example\x03com\0");
    wire
}

/// Nanoseconds of CPU for one, names in an order that no cache can guess. Making the name is paid for
/// apart.
fn look(table: &Table, names: u32) -> f64 {
    let mut qname = name_of(0);
    let mut at = 1_u32;
    let mut next = |qname: &mut [u8]| {
        at = at.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let mut n = u32::try_from((u64::from(at) * u64::from(names)) >> 32).unwrap();
        for digit in qname[2..9].iter_mut().rev() {
            *digit = b'0' + u8::try_from(n % 10).unwrap();
            n /= 10;
        }
    };
    let began = cpu();
    for _ in 0..LOOKUPS {
        next(&mut qname);
        black_box(&qname);
    }
    let names = cpu() - began;
    let began = cpu();
    let mut found = 0;
    for _ in 0..LOOKUPS {
        next(&mut qname);
        found += u32::from(matches!(
            table.lookup(black_box(&qname)),
            Lookup::Node { .. }
        ));
    }
    assert_eq!(found, LOOKUPS);
    let spent = (cpu() - began).saturating_sub(names);
    spent.as_secs_f64() * 1e9 / f64::from(LOOKUPS)
}

fn say(what: &str, began: Duration) {
    println!("{what:<34} {:>10.2?}", cpu() - began);
}

/// CPU time of this thread, so that other programs on the machine do not count.
fn cpu() -> Duration {
    ClockId::CLOCK_THREAD_CPUTIME_ID.now().unwrap().into()
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1_024
}
