//! JSON Patch as this family takes it: an array of operations, or one alone.

use serde::Deserialize;
use serde_json::Value;

use crate::error::Error;
use crate::handlers::body;

/// One operation of a patch, and where it stands in the body.
#[derive(Debug)]
pub(super) struct Operation {
    /// What to do, in lower case; the vendor's clients also send it in capitals.
    pub(super) op: String,
    /// Where, with a slash in front; the vendor's documents also leave it out.
    pub(super) path: String,
    /// Where from.
    pub(super) from: Option<String>,
    /// What with; None where it is absent, which `null` is not.
    pub(super) value: Option<Value>,
    at: String,
    sent: Value,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct OperationFields {
    op: String,
    path: String,
    #[serde(default)]
    from: Option<String>,
    #[serde(default, deserialize_with = "given")]
    value: Option<Value>,
}

/// A patch: 1 to 100 operations.
#[derive(utoipa::ToSchema)]
#[schema(min_items = 1, max_items = 100)]
#[expect(dead_code, reason = "the schema of what is read item by item")]
pub(super) struct PatchBody(Vec<OperationBody>);

/// A patch of one operation.
#[derive(utoipa::ToSchema)]
#[schema(min_items = 1, max_items = 1)]
#[expect(dead_code, reason = "the schema of what is read item by item")]
pub(super) struct ShortPatchBody(Vec<OperationBody>);

/// An operation of a patch.
#[derive(utoipa::ToSchema)]
#[schema(as = PatchOperation)]
#[expect(dead_code, reason = "the schema of what is read with its place in the body")]
pub(super) struct OperationBody {
    /// What to do, in whatever case.
    #[schema(example = "replace")]
    op: String,
    /// Where. The slash in front may be left out.
    #[schema(example = "/priority")]
    path: String,
    /// Where from, of `move` and `copy`.
    #[schema(required = false)]
    from: Option<String>,
    /// What with, of `add`, `replace` and `test`.
    #[schema(required = false)]
    value: Option<Value>,
}

fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// The operations of a body, at most `most`.
///
/// # Errors
///
/// [`Error::Invalid`] that names the place.
pub(super) fn read(body: Value, most: usize) -> Result<Vec<Operation>, Error> {
    match body {
        Value::Array(items) if items.is_empty() => Err(Error::invalid("body", "must have at least one operation")),
        Value::Array(items) if items.len() > most => {
            Err(Error::invalid(format!("[{most}]"), format!("at most {most} operations in a request")))
        }
        Value::Array(items) => {
            items.into_iter().enumerate().map(|(index, item)| operation(item, format!("[{index}]"))).collect()
        }
        alone @ Value::Object(_) => Ok(vec![operation(alone, String::new())?]),
        _ => Err(Error::invalid("body", "must be an array of operations, or one operation")),
    }
}

fn operation(item: Value, at: String) -> Result<Operation, Error> {
    let OperationFields { op, path, from, value } = body::typed(item.clone(), &at)?;
    let slashed = |path: String| if path.is_empty() || path.starts_with('/') { path } else { format!("/{path}") };
    Ok(Operation { op: op.to_ascii_lowercase(), path: slashed(path), from: from.map(slashed), value, at, sent: item })
}

impl Operation {
    /// How a field of the operation is called in an error.
    pub(super) fn field(&self, name: &str) -> String {
        if self.at.is_empty() { name.to_owned() } else { format!("{}.{name}", self.at) }
    }

    /// The operation as it was sent.
    pub(super) fn into_sent(self) -> Value {
        self.sent
    }

    /// The value.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when there is none.
    pub(super) fn required_value(&self) -> Result<&Value, Error> {
        self.value.as_ref().ok_or_else(|| Error::invalid(self.field("value"), "is required"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_operation_is_read_alone_or_in_an_array() {
        let alone = json!({"op": "REPLACE", "path": "status", "value": null});
        for body in [alone.clone(), json!([alone])] {
            let read = read(body, 1).unwrap_or_default();
            let read = read.first().expect("it is read");
            assert_eq!((read.op.as_str(), read.path.as_str()), ("replace", "/status"));
            assert_eq!(read.value, Some(Value::Null), "null is a value");
        }
    }

    #[test]
    fn what_is_wrong_is_named_by_its_place() {
        for (body, field) in [
            (json!([]), "body: "),
            (json!("x"), "body: "),
            (json!([{"op": "add", "path": "/a"}, {}]), "[1].op: "),
            (json!([{"op": "add", "path": 7}]), "[0].path: "),
            (json!({"op": "add"}), "path: "),
            (json!([[]]), "[0]: "),
            (json!([{}, {}, {}]), "[2]: "),
        ] {
            let message = read(body.clone(), 2).expect_err("it is refused").message();
            assert!(message.starts_with(field), "{body}: {message}");
        }
    }
}
