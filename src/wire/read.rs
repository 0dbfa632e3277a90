//! Reads one JSON object field by field and says by its path which field was wrong.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value};

use super::error::{WireError, code};
use super::limits::{MAX_NAME_BYTES, MAX_OPAQUE_BYTES, MAX_TEXT_BYTES};

/// A field that may be absent, `null`, or there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Field<T> {
    /// Not in the object: leave as it is.
    Absent,
    /// `null`: clear.
    Null,
    /// Set.
    Set(T),
}

impl<T> Field<T> {
    pub(crate) fn set(self) -> Option<T> {
        if let Self::Set(v) = self { Some(v) } else { None }
    }

    /// `None` when absent, `Some(None)` when cleared.
    pub(crate) fn patch(self) -> Option<Option<T>> {
        match self {
            Self::Absent => None,
            Self::Null => Some(None),
            Self::Set(v) => Some(Some(v)),
        }
    }
}

/// An object with the path at which it stands.
pub(crate) struct Obj {
    map: Map<String, Value>,
    path: String,
}

type Read<T> = Result<T, WireError>;

impl Obj {
    pub(crate) fn root(map: Map<String, Value>) -> Self {
        Self { map, path: String::new() }
    }

    pub(crate) fn under(map: Map<String, Value>, path: String) -> Self {
        Self { map, path }
    }

    pub(crate) fn at(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    pub(crate) fn wrong(&self, key: &str, expected: &str, got: &Value) -> WireError {
        let param = self.at(key);
        let message = format!("{param} must be {expected}, got {}", kind_of(got));
        WireError::field(code::INVALID_TYPE, param, message)
    }

    pub(crate) fn bad(&self, key: &str, message: &str) -> WireError {
        let param = self.at(key);
        WireError::field(code::INVALID_VALUE, param.clone(), format!("{param} {message}"))
    }

    pub(crate) fn missing(&self, key: &str) -> WireError {
        let param = self.at(key);
        WireError::field(code::MISSING, param.clone(), format!("{param} is missing"))
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.map.get(key).is_some_and(|v| !v.is_null())
    }

    pub(crate) fn is_null(&self, key: &str) -> bool {
        self.map.get(key).is_some_and(Value::is_null)
    }

    pub(crate) fn take(&mut self, key: &str) -> Field<Value> {
        match self.map.remove(key) {
            None => Field::Absent,
            Some(Value::Null) => Field::Null,
            Some(v) => Field::Set(v),
        }
    }

    fn text_within(&mut self, key: &str, limit: usize) -> Read<Field<String>> {
        match self.take(key) {
            Field::Absent => Ok(Field::Absent),
            Field::Null => Ok(Field::Null),
            Field::Set(Value::String(s)) if s.len() > limit => {
                let param = self.at(key);
                let message = format!("{param} has {} bytes, the limit is {limit}", s.len());
                Err(WireError::field(code::TOO_LARGE, param, message))
            }
            Field::Set(Value::String(s)) => Ok(Field::Set(s)),
            Field::Set(other) => Err(self.wrong(key, "a string", &other)),
        }
    }

    /// A text of any sensible length.
    pub(crate) fn text(&mut self, key: &str) -> Read<Field<String>> {
        self.text_within(key, MAX_TEXT_BYTES)
    }

    /// An id or a name.
    pub(crate) fn name(&mut self, key: &str) -> Read<Field<String>> {
        self.text_within(key, MAX_NAME_BYTES)
    }

    pub(crate) fn required_name(&mut self, key: &str) -> Read<String> {
        let missing = self.missing(key);
        self.name(key)?.set().filter(|s| !s.is_empty()).ok_or(missing)
    }

    pub(crate) fn object(&mut self, key: &str) -> Read<Field<Self>> {
        match self.take(key) {
            Field::Absent => Ok(Field::Absent),
            Field::Null => Ok(Field::Null),
            Field::Set(Value::Object(map)) => Ok(Field::Set(Self { map, path: self.at(key) })),
            Field::Set(other) => Err(self.wrong(key, "an object", &other)),
        }
    }

    pub(crate) fn required_object(&mut self, key: &str) -> Read<Self> {
        let missing = self.missing(key);
        self.object(key)?.set().ok_or(missing)
    }

    /// The elements of an array, at most `limit`; empty when absent or null.
    pub(crate) fn objects(&mut self, key: &str, limit: usize) -> Read<Vec<Self>> {
        let list = match self.take(key) {
            Field::Absent | Field::Null => return Ok(Vec::new()),
            Field::Set(Value::Array(list)) => list,
            Field::Set(other) => return Err(self.wrong(key, "an array", &other)),
        };
        if list.len() > limit {
            let param = self.at(key);
            let message = format!("{param} has {} elements, the limit is {limit}", list.len());
            return Err(WireError::field(code::TOO_LARGE, param, message));
        }
        let at = self.at(key);
        let element = |(i, v)| match v {
            Value::Object(map) => Ok(Self { map, path: format!("{at}[{i}]") }),
            other => Err(self.wrong(&format!("{key}[{i}]"), "an object", &other)),
        };
        list.into_iter().enumerate().map(element).collect()
    }

    /// Strings of an array.
    pub(crate) fn names(&mut self, key: &str, limit: usize) -> Read<Field<Vec<String>>> {
        let list = match self.take(key) {
            Field::Absent => return Ok(Field::Absent),
            Field::Null => return Ok(Field::Null),
            Field::Set(Value::Array(list)) if list.len() <= limit => list,
            Field::Set(Value::Array(_)) => return Err(self.bad(key, &format!("has more than {limit} elements"))),
            Field::Set(other) => return Err(self.wrong(key, "an array of strings", &other)),
        };
        let mut out = Vec::with_capacity(list.len());
        for v in list {
            match v {
                Value::String(s) if s.len() <= MAX_NAME_BYTES => out.push(s),
                other => return Err(self.wrong(key, "an array of short strings", &other)),
            }
        }
        Ok(Field::Set(out))
    }

    pub(crate) fn bool(&mut self, key: &str) -> Read<Option<bool>> {
        match self.take(key) {
            Field::Absent | Field::Null => Ok(None),
            Field::Set(Value::Bool(b)) => Ok(Some(b)),
            Field::Set(other) => Err(self.wrong(key, "true or false", &other)),
        }
    }

    /// A number within `low..=high`.
    pub(crate) fn number(&mut self, key: &str, low: f64, high: f64) -> Read<Option<f64>> {
        match self.take(key) {
            Field::Absent | Field::Null => Ok(None),
            Field::Set(Value::Number(n)) => match n.as_f64() {
                Some(x) if (low..=high).contains(&x) => Ok(Some(x)),
                _ => Err(self.bad(key, &format!("must be between {low} and {high}"))),
            },
            Field::Set(other) => Err(self.wrong(key, "a number", &other)),
        }
    }

    /// A whole number up to `high`.
    pub(crate) fn whole(&mut self, key: &str, high: u32) -> Read<Option<u32>> {
        match self.take(key) {
            Field::Absent | Field::Null => Ok(None),
            Field::Set(Value::Number(n)) => {
                // Clients in languages with one number type write 500.0.
                let whole = n.as_f64().filter(|x| x.fract() == 0.0 && (0.0..=f64::from(high)).contains(x));
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "in 0..=u32::MAX, see above"
                )]
                let whole = whole.map(|x| x as u32);
                whole.map(Some).ok_or_else(|| self.bad(key, &format!("must be a whole number from 0 to {high}")))
            }
            Field::Set(other) => Err(self.wrong(key, "a number", &other)),
        }
    }

    /// Something that is kept as it is: any JSON up to a size.
    pub(crate) fn opaque(&mut self, key: &str) -> Read<Field<Value>> {
        let field = self.take(key);
        if let Field::Set(v) = &field
            && weight(v) > MAX_OPAQUE_BYTES
        {
            let param = self.at(key);
            let message = format!("{param} is larger than {MAX_OPAQUE_BYTES} bytes");
            return Err(WireError::field(code::TOO_LARGE, param, message));
        }
        Ok(field)
    }

    /// Base64 of at most `limit` bytes; the size is known before anything is decoded.
    pub(crate) fn base64(&mut self, key: &str, limit: usize) -> Read<Bytes> {
        match self.take(key) {
            Field::Absent | Field::Null => Err(self.missing(key)),
            Field::Set(Value::String(s)) => decode_base64(&s, limit, &self.at(key), code::TOO_LARGE),
            Field::Set(other) => Err(self.wrong(key, "a base64 string", &other)),
        }
    }
}

/// Decodes standard base64 with or without padding.
pub(crate) fn decode_base64(text: &str, limit: usize, param: &str, too_large: &'static str) -> Read<Bytes> {
    let text = text.trim_end_matches('=');
    let size = text.len() / 4 * 3 + text.len() % 4 * 3 / 4;
    if size > limit {
        let message = format!("{param} holds {size} bytes, the limit is {limit}");
        return Err(WireError::field(too_large, param, message));
    }
    let bytes = UNPADDED.decode(text).map_err(|e| {
        WireError::field(
            code::INVALID_BASE64,
            param,
            format!("{param} is not base64: {}", e.to_string().to_lowercase()),
        )
    })?;
    Ok(Bytes::from(bytes))
}

const UNPADDED: base64::engine::GeneralPurpose = base64::engine::GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    base64::engine::GeneralPurposeConfig::new()
        .with_decode_padding_mode(base64::engine::DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// Standard base64 with padding.
#[must_use]
pub fn encode_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// About how many bytes a value takes as JSON, without writing it. The depth is bounded by the parser.
fn weight(v: &Value) -> usize {
    match v {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(_) => 8,
        Value::String(s) => s.len() + 2,
        Value::Array(a) => 2 + a.iter().map(|v| 1 + weight(v)).sum::<usize>(),
        Value::Object(o) => 2 + o.iter().map(|(k, v)| 4 + k.len() + weight(v)).sum::<usize>(),
    }
}

fn kind_of(v: &Value) -> &'static str {
    match v {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
