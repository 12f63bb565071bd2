//! The language as a JSON Schema, for editors and for checks before a node is at hand.

use serde_json::{Value, json};

use crate::language::ROOT;

/// JSON Schema (draft 2020-12) of the language, from the same table of keys that reads it.
///
/// It says less than `load`: relations between objects, and forms that need arithmetic, are not in it.
pub fn schema() -> Value {
    let mut schema = ROOT.schema();
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("Windrose configuration");
    schema
}

#[cfg(test)]
mod tests;
