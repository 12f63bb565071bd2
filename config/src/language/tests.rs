//! The table of keys and what reads them belong together: no key is only known, none is only read.

use std::collections::BTreeSet;
use std::path::Path;

use super::ROOT;
use crate::check;
use crate::read;
use crate::shape::{Need, Shape};
use crate::source::Sources;
use crate::tree::{self, Node, Value};

const FULL: &str = include_str!("../../tests/full.yaml");

/// Keys whose absence means the same, or whose absence is an error of its own.
const WITHOUT_EFFECT: [&str; 2] = ["schema", "tcp"];

fn full() -> (Node, Sources) {
    let mut sources = Sources::default();
    let source = sources.add("full.yaml", Path::new("tests"), FULL);
    let mut problems = Vec::new();
    let root = tree::parse(source, FULL, &mut problems).unwrap();
    assert_eq!(problems, []);
    (root, sources)
}

#[test]
fn the_full_document_has_every_key_of_the_language() {
    fn walk(shape: &Shape, nodes: &[&Node], at: &str, missing: &mut BTreeSet<String>) {
        let children = || nodes.iter().flat_map(|n| n.entries());
        match shape {
            Shape::Scalar(_) => {}
            Shape::List(inner) => {
                let items: Vec<_> = nodes.iter().flat_map(|n| n.items()).collect();
                walk(inner, &items, &format!("{at}[]"), missing);
            }
            Shape::OneOrMany(inner) => {
                let of = |n| match n {
                    &Node {
                        value: Value::List(ref items),
                        ..
                    } => items.iter().collect(),
                    one => vec![one],
                };
                let all: Vec<&Node> = nodes.iter().flat_map(|n| of(n)).collect();
                walk(inner, &all, at, missing);
            }
            Shape::Either(_, inner) => walk(inner, nodes, at, missing),
            Shape::Map(_, inner) => {
                let values: Vec<_> = children().map(|e| &e.value).collect();
                walk(inner, &values, &format!("{at}.*"), missing);
            }
            Shape::Mapping(mapping) => {
                for field in mapping.fields.iter().filter(|f| f.need != Need::Later) {
                    let at = format!("{at}.{}", field.key);
                    let with_key = children().filter(|e| &*e.key == field.key);
                    let values: Vec<_> = with_key.map(|e| &e.value).collect();
                    if values.is_empty() {
                        missing.insert(at);
                    } else {
                        walk(&field.shape, &values, &at, missing);
                    }
                }
            }
        }
    }
    let (root, _) = full();
    assert_eq!(check::check(&root).problems, []);
    let mut missing = BTreeSet::new();
    walk(&ROOT, &[&root], "", &mut missing);
    assert_eq!(missing, BTreeSet::new());
}

#[test]
fn no_key_is_read_without_effect() {
    /// Calls `found` with the document lacking one key, for each key.
    fn without_each(root: &Node, found: &mut dyn FnMut(&str, Node)) {
        fn paths(node: &Node, at: &mut Vec<usize>, all: &mut Vec<Vec<usize>>) {
            let children: Vec<&Node> = match &node.value {
                Value::Mapping(entries) => entries.iter().map(|e| &e.value).collect(),
                Value::List(items) => items.iter().collect(),
                Value::Scalar { .. } => return,
            };
            for (i, child) in children.into_iter().enumerate() {
                at.push(i);
                if matches!(node.value, Value::Mapping(_)) {
                    all.push(at.clone());
                }
                paths(child, at, all);
                at.pop();
            }
        }
        let mut all = Vec::new();
        paths(root, &mut Vec::new(), &mut all);
        for path in all {
            let mut changed = root.clone();
            let mut node = &mut changed;
            let (last, above) = path.split_last().unwrap();
            for step in above {
                node = match &mut node.value {
                    Value::Mapping(entries) => &mut entries[*step].value,
                    Value::List(items) => &mut items[*step],
                    Value::Scalar { .. } => unreachable!(),
                };
            }
            let Value::Mapping(entries) = &mut node.value else {
                unreachable!()
            };
            let removed = entries.remove(*last);
            found(&removed.key, changed);
        }
    }
    let (root, sources) = full();
    let said = |root: &Node| {
        let read = read::read(root, &mut sources.clone());
        format!("{:?} {:?} {:?}", read.draft, read.node, read.data)
    };
    let whole = said(&root);
    without_each(&root, &mut |key, changed| {
        if !WITHOUT_EFFECT.contains(&key) {
            assert!(
                said(&changed) != whole,
                "leaving out `{key}` changes nothing"
            );
        }
    });
}
