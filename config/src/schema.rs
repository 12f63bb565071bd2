//! The language as a JSON Schema.

use serde_json::{Value, json};

/// JSON Schema (draft 2020-12) of the language, from the same table of keys that reads it.
pub fn schema() -> Value {
    json!({"$schema": "https://json-schema.org/draft/2020-12/schema"})
}
