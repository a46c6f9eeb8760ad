//! JSON, read strictly: an object that names a key twice is refused, because two
//! readers of it may see two different things. Numbers keep all their digits.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The key under which the library hands over a number with all its digits.
const NUMBER: &str = "$serde_json::private::Number";

/// The most that is kept as given in one field or thing, as JSON, in bytes: a page of a
/// hundred such things must fit in memory many times over.
pub const MAX_KEPT: usize = 64 * 1024;

/// Reads a JSON text.
///
/// # Errors
///
/// A sentence that says where and why: not UTF-8, not JSON, nested deeper than
/// 128 levels, or a key that is named twice.
pub fn parse(text: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(text).map_err(|error| format!("not UTF-8 at byte {}", error.valid_up_to()))?;
    if text.contains(NUMBER) {
        return Err(format!("the key {NUMBER:?} is reserved"));
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Strict.deserialize(&mut deserializer).map_err(|error| error.to_string())?;
    deserializer.end().map_err(|error| error.to_string())?;
    Ok(value)
}

struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(Strict)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if object.is_empty() && key == NUMBER {
                let digits: String = entries.next_value()?;
                return digits.parse().map(Value::Number).map_err(A::Error::custom);
            }
            let value = entries.next_value_seed(Strict)?;
            if object.contains_key(&key) {
                return Err(A::Error::custom(format_args!("the key {key:?} is named twice")));
            }
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_json_is() {
        let text = br#"{"a":[1,-2,3.5,true,null,"\u00e9"],"b":{}}"#;
        assert_eq!(parse(text), Ok(serde_json::json!({"a": [1, -2, 3.5, true, null, "é"], "b": {}})));
    }

    #[test]
    fn keeps_every_digit_of_a_number() {
        let text = "[12345678901234567890123,1.10,-0.0,1e+400]";
        assert_eq!(parse(text.as_bytes()).map(|value| value.to_string()).as_deref(), Ok(text));
    }

    #[test]
    fn refuses_what_it_must() {
        for text in [&b"{\"a\":1,\"a\":1}"[..], b"{\"x\":{\"a\":1,\"\\u0061\":1}}", b"\xff", b"", b"{", b"[1] 2", b"01"]
        {
            assert!(parse(text).is_err(), "{text:?}");
        }
        let deep = "[".repeat(100_000);
        assert!(parse(deep.as_bytes()).is_err());
    }
}
