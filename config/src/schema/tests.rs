//! The JSON Schema against the examples, by a validator of the few keywords that it uses.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::schema;
use crate::tree::{self, Node, Value as Tree};

/// A tree as a reader of YAML 1.2 hands it to a validator.
fn as_json(node: &Node) -> Value {
    match &node.value {
        Tree::List(items) => items.iter().map(as_json).collect(),
        Tree::Mapping(entries) => {
            let object: Map<_, _> = entries
                .iter()
                .map(|e| (e.key.to_string(), as_json(&e.value)))
                .collect();
            Value::Object(object)
        }
        Tree::Scalar { .. } if node.is_null() => Value::Null,
        Tree::Scalar { text, plain: true } => match &**text {
            "true" => json!(true),
            "false" => json!(false),
            _ => {
                let whole = text.parse::<i64>().map(|n| json!(n));
                let number = || text.parse::<f64>().map(|n| json!(n));
                whole
                    .or_else(|_| number())
                    .unwrap_or_else(|_| json!(&**text))
            }
        },
        Tree::Scalar { text, .. } => json!(&**text),
    }
}

fn has_type(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.as_f64().is_some_and(|n| n.fract() == 0.0),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        _ => panic!("type {name}"),
    }
}

/// Why a value is refused; patterns and formats are not looked at.
fn refusal(schema: &Value, value: &Value, at: &str) -> Option<String> {
    let no = |why: &str| Some(format!("{at}: {why}: {value}"));
    for (keyword, rule) in schema.as_object()? {
        let refused = match keyword.as_str() {
            "type" => {
                let names = rule
                    .as_array()
                    .cloned()
                    .unwrap_or_else(|| vec![rule.clone()]);
                let fits = names.iter().any(|n| has_type(value, n.as_str().unwrap()));
                if fits { None } else { no("type") }
            }
            "properties" => value.as_object().and_then(|object| {
                object
                    .iter()
                    .find_map(|(key, value)| refusal(rule.get(key)?, value, &format!("{at}.{key}")))
            }),
            "additionalProperties" => value.as_object().and_then(|object| {
                let known = &schema["properties"];
                let mut others = object.iter().filter(|(key, _)| known.get(key).is_none());
                others.find_map(|(key, value)| match rule {
                    Value::Bool(false) => no(key),
                    rule => refusal(rule, value, &format!("{at}.{key}")),
                })
            }),
            "required" => value.as_object().and_then(|object| {
                let keys = rule.as_array().unwrap();
                let missing = keys
                    .iter()
                    .find(|k| !object.contains_key(k.as_str().unwrap()));
                missing.and_then(|key| no(&format!("without {key}")))
            }),
            "items" => value.as_array().and_then(|items| {
                items
                    .iter()
                    .enumerate()
                    .find_map(|(i, v)| refusal(rule, v, &format!("{at}[{i}]")))
            }),
            "anyOf" | "oneOf" => {
                let rules = rule.as_array().unwrap();
                let fitting = rules
                    .iter()
                    .filter(|r| refusal(r, value, at).is_none())
                    .count();
                if fitting == 1 || (fitting > 1 && keyword == "anyOf") {
                    None
                } else {
                    no(keyword)
                }
            }
            "not" => refusal(rule, value, at)
                .is_none()
                .then(|| format!("{at}: not")),
            "enum" => {
                if rule.as_array().unwrap().contains(value) {
                    None
                } else {
                    no("enum")
                }
            }
            "minimum" => value
                .as_f64()
                .filter(|n| *n < rule.as_f64().unwrap())
                .and_then(|_| no("least")),
            "maximum" => value
                .as_f64()
                .filter(|n| *n > rule.as_f64().unwrap())
                .and_then(|_| no("most")),
            "$schema" | "title" | "description" | "default" | "pattern" | "format"
            | "minLength" | "maxLength" | "propertyNames" => None,
            _ => panic!("{at}: keyword {keyword}"),
        };
        if refused.is_some() {
            return refused;
        }
    }
    None
}

fn check(text: &str) -> Option<String> {
    let root = tree::parse(0, text, &mut Vec::new()).unwrap();
    refusal(&schema(), &as_json(&root), "")
}

#[test]
fn the_schema_accepts_every_example_and_the_full_document() {
    for entry in Path::new("../examples").read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "yaml") {
            let text = std::fs::read_to_string(&path).unwrap();
            assert_eq!(check(&text), None, "{}", path.display());
        }
    }
    // `on` for true and lower case where capitals are usual are ours alone.
    let full = include_str!("../../tests/full.yaml");
    assert_eq!(
        check(
            &full
                .replace("sticky: on", "sticky: true")
                .replace("txt", "TXT")
        ),
        None
    );
}

#[test]
fn the_schema_refuses_what_the_language_refuses() {
    for text in [
        "schema: 2",
        "node: {}",
        "{schema: 1, nodes: {}}",
        "{schema: 1, tls: {certificates: no}}",
        "{schema: 1, regions: {eu: {lat: 1}}}",
        "{schema: 1, clusters: {c: {region: r, dial: 101}}}",
        "{schema: 1, safety: {min_clusters_on: many}}",
        "{schema: 1, apps: {a: {hosts: a, versions: {}}}}",
        "{schema: 1, apps: {a: {hosts: [a], versions: {}, steering: [{nearest: , geo: }]}}}",
        "{schema: 1, apps: {a: {hosts: [a], versions: {}, health: {tcp: , http: }}}}",
    ] {
        assert!(check(text).is_some(), "{text}");
        assert!(
            crate::load_text("t", text, windrose_model::Revision(1), None).is_err(),
            "{text}"
        );
    }
}

#[test]
fn every_default_in_the_schema_is_json() {
    fn walk(schema: &Value, found: &mut usize) {
        match schema {
            Value::Object(object) => {
                *found += usize::from(object.contains_key("default"));
                object.values().for_each(|v| walk(v, found));
            }
            Value::Array(items) => items.iter().for_each(|v| walk(v, found)),
            _ => {}
        }
    }
    let mut found = 0;
    walk(&schema(), &mut found);
    let written = [
        include_str!("../language.rs"),
        include_str!("../language/app.rs"),
        include_str!("../language/zone.rs"),
    ];
    let written: usize = written
        .iter()
        .map(|text| text.matches(".or(\"").count())
        .sum();
    assert!(
        found >= written,
        "{written} defaults are written and {found} are in the schema"
    );
}
