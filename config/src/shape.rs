//! What a table of keys is made of, and how it is written as JSON Schema.

use serde_json::{Map, Value, json};

use crate::scalar::Scalar;

/// What a value may be.
#[derive(Debug)]
pub(crate) enum Shape {
    Scalar(Scalar),
    List(&'static Self),
    /// Keys that we name.
    Mapping(&'static Mapping),
    /// Keys that the operator names.
    Map(Scalar, &'static Self),
    /// One of these, or a list of them.
    OneOrMany(&'static Self),
    /// A single value, or a collection.
    Either(Scalar, &'static Self),
}

/// A mapping with known keys.
#[derive(Debug)]
pub(crate) struct Mapping {
    /// With its article: `an app`.
    pub(crate) noun: &'static str,
    pub(crate) rule: Rule,
    pub(crate) fields: &'static [Field],
}

/// How the keys of a mapping go together.
#[derive(Debug)]
pub(crate) enum Rule {
    Any,
    ExactlyOne(&'static [&'static str]),
    AtMostOne(&'static [&'static str]),
}

/// A key with its value.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) key: &'static str,
    pub(crate) need: Need,
    pub(crate) shape: Shape,
    /// For people who write it; ends up in the JSON Schema.
    pub(crate) about: &'static str,
    /// As JSON.
    pub(crate) default: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Required,
    Optional,
    /// Known, but not of this version.
    Later,
}

impl Field {
    pub(crate) const fn required(key: &'static str, shape: Shape, about: &'static str) -> Self {
        Self {
            key,
            need: Need::Required,
            shape,
            about,
            default: None,
        }
    }

    pub(crate) const fn optional(key: &'static str, shape: Shape, about: &'static str) -> Self {
        Self {
            key,
            need: Need::Optional,
            shape,
            about,
            default: None,
        }
    }

    pub(crate) const fn later(key: &'static str) -> Self {
        let shape = Shape::Scalar(Scalar::Text);
        Self {
            key,
            need: Need::Later,
            shape,
            about: "",
            default: None,
        }
    }

    /// The value that holds when the key is absent, as JSON.
    pub(crate) const fn or(self, default: &'static str) -> Self {
        Self {
            default: Some(default),
            ..self
        }
    }
}

impl Mapping {
    pub(crate) const fn new(noun: &'static str, fields: &'static [Field]) -> Self {
        Self {
            noun,
            rule: Rule::Any,
            fields,
        }
    }

    pub(crate) fn field(&self, key: &str) -> Option<&'static Field> {
        self.fields.iter().find(|f| f.key == key)
    }

    /// The keys of this version.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'static str> {
        self.fields
            .iter()
            .filter(|f| f.need != Need::Later)
            .map(|f| f.key)
    }

    /// Whether it may be empty.
    pub(crate) fn has_required(&self) -> bool {
        self.fields.iter().any(|f| f.need == Need::Required)
    }
}

impl Shape {
    /// After "must be".
    pub(crate) fn description(&self) -> String {
        match self {
            Self::Scalar(scalar) => scalar.description(),
            Self::List(_) => "a list".to_owned(),
            Self::OneOrMany(one) => format!("{}, or a list of such", one.description()),
            Self::Mapping(mapping) => match mapping.keys().collect::<Vec<_>>() {
                keys if keys.is_empty() => "an empty mapping, {}".to_owned(),
                keys if matches!(mapping.rule, Rule::ExactlyOne(one) if one == keys) => {
                    format!("a mapping with one of the keys {}", keys.join(", "))
                }
                keys => format!("a mapping with the keys {}", keys.join(", ")),
            },
            Self::Map(..) => "a mapping".to_owned(),
            Self::Either(scalar, other) => {
                format!("{} or {}", scalar.description(), other.description())
            }
        }
    }

    /// Every place of a key in the language, as dotted paths of the mappings that hold it.
    pub(crate) fn places_of(&self, key: &str) -> Vec<String> {
        fn walk(shape: &Shape, key: &str, at: &mut Vec<&'static str>, found: &mut Vec<String>) {
            match shape {
                Shape::Scalar(_) => {}
                Shape::List(inner) | Shape::OneOrMany(inner) | Shape::Either(_, inner) => {
                    walk(inner, key, at, found);
                }
                Shape::Map(_, inner) => {
                    at.push("*");
                    walk(inner, key, at, found);
                    at.pop();
                }
                Shape::Mapping(mapping) => {
                    for field in mapping.fields.iter().filter(|f| f.need != Need::Later) {
                        if field.key == key {
                            found.push(at.join("."));
                        }
                        at.push(field.key);
                        walk(&field.shape, key, at, found);
                        at.pop();
                    }
                }
            }
        }
        let mut found = Vec::new();
        walk(self, key, &mut Vec::new(), &mut found);
        found
    }

    /// As JSON Schema.
    pub(crate) fn schema(&self) -> Value {
        match self {
            Self::Scalar(scalar) => scalar.schema(),
            Self::List(items) => nullable(json!({"type": "array", "items": items.schema()})),
            Self::Map(keys, values) => {
                let mut names = keys.schema();
                if let Some(names) = names.as_object_mut() {
                    names.remove("type");
                }
                nullable(json!({
                    "type": "object",
                    "propertyNames": names,
                    "additionalProperties": values.schema(),
                }))
            }
            Self::OneOrMany(one) => {
                let list = json!({"type": "array", "items": one.schema()});
                json!({"anyOf": [one.schema(), list]})
            }
            Self::Either(scalar, other) => json!({"anyOf": [scalar.schema(), other.schema()]}),
            Self::Mapping(mapping) => mapping.schema(),
        }
    }
}

impl Mapping {
    fn schema(&self) -> Value {
        let mut properties = Map::new();
        for field in self.fields.iter().filter(|f| f.need != Need::Later) {
            let mut schema = field.shape.schema();
            if let Some(object) = schema.as_object_mut() {
                object.insert("description".to_owned(), json!(field.about));
                let default = field.default.and_then(|d| serde_json::from_str(d).ok());
                if let Some(default) = default {
                    object.insert("default".to_owned(), default);
                }
            }
            properties.insert(field.key.to_owned(), schema);
        }
        let required: Vec<_> = self
            .fields
            .iter()
            .filter(|f| f.need == Need::Required)
            .map(|f| f.key)
            .collect();
        let mut schema = json!({
            "type": "object",
            "properties": properties,
            "additionalProperties": false,
        });
        if let Some(object) = schema.as_object_mut() {
            if !required.is_empty() {
                object.insert("required".to_owned(), json!(required));
            }
            let has = |keys: &[&str]| keys.iter().map(|k| json!({"required": [k]})).collect();
            match self.rule {
                Rule::Any => {}
                Rule::ExactlyOne(keys) => {
                    object.insert("oneOf".to_owned(), Value::Array(has(keys)));
                }
                Rule::AtMostOne(keys) => {
                    let pair = |i: usize, j: usize| json!({"required": [keys[i], keys[j]]});
                    let pairs = (0..keys.len()).flat_map(|j| (0..j).map(move |i| (i, j)));
                    let pairs: Vec<Value> = pairs.map(|(i, j)| pair(i, j)).collect();
                    object.insert("not".to_owned(), json!({"anyOf": pairs}));
                }
            }
        }
        let may_be_empty = matches!(self.rule, Rule::Any | Rule::AtMostOne(_));
        if may_be_empty && !self.has_required() {
            nullable(schema)
        } else {
            schema
        }
    }
}

/// A key without a value stands for an empty collection.
fn nullable(mut schema: Value) -> Value {
    let name = schema["type"].take();
    schema["type"] = json!([name, "null"]);
    schema
}
