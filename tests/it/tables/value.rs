//! Values of the model: how they are made, sent, read and compared.
//!
//! Dates and GUIDs are kept as their longest text, in which they sort as they should; so the model needs no
//! arithmetic of either that could be wrong in the server's way.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value as Json, json};

use super::{KEYS, pick};
use crate::random::Random;

/// Named values.
pub(super) type Properties = BTreeMap<String, Value>;

#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Int32(i32),
    Int64(i64),
    Double(f64),
    Boolean(bool),
    /// `YYYY-MM-DDThh:mm:ss.fffffffZ`
    Date(String),
    /// In lower case.
    Guid(String),
    Binary(Vec<u8>),
}

/// What is stored is what comes back, bit by bit, so NaN equals itself here.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Double(one), Self::Double(other)) => {
                one.to_bits() == other.to_bits() || (one.is_nan() && other.is_nan())
            }
            (Self::Text(one), Self::Text(other))
            | (Self::Date(one), Self::Date(other))
            | (Self::Guid(one), Self::Guid(other)) => one == other,
            (Self::Int32(one), Self::Int32(other)) => one == other,
            (Self::Int64(one), Self::Int64(other)) => one == other,
            (Self::Boolean(one), Self::Boolean(other)) => one == other,
            (Self::Binary(one), Self::Binary(other)) => one == other,
            _ => false,
        }
    }
}

const DATES: [&str; 6] = [
    "1601-01-01T00:00:00.0000000Z",
    "1999-12-31T23:59:59.9999999Z",
    "2026-11-22T00:00:00.0000000Z",
    "2026-11-22T00:00:00.0000001Z",
    "2026-11-22T00:00:00.1200000Z",
    "9999-12-31T23:59:59.9999999Z",
];
const GUIDS: [&str; 4] = [
    "00000000-0000-0000-0000-000000000000",
    "00000000-0000-0000-0000-0000000000ff",
    "c9da6455-213d-42c9-9a79-3e9149a57833",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
];
const DOUBLES: [f64; 12] = [
    0.0,
    -0.0,
    1.0,
    1.5,
    -2.0,
    1e300,
    5e-324,
    2_147_483_648.0,
    9_007_199_254_740_992.0,
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
];

impl Value {
    pub(super) fn random(random: &mut Random) -> Self {
        match random.below(8) {
            0 => Self::Text(pick(random, &KEYS).to_owned()),
            1 => Self::Int32(pick(random, &[0, 1, -2, 7, i32::MAX, i32::MIN])),
            2 => Self::Int64(pick(random, &[0, 1, -2, 1 << 31, (1 << 53) + 1, i64::MAX, i64::MIN])),
            3 => Self::Double(pick(random, &DOUBLES)),
            4 => Self::Boolean(random.below(2) == 0),
            5 => Self::Date(pick(random, &DATES).to_owned()),
            6 => Self::Guid(pick(random, &GUIDS).to_owned()),
            _ => {
                let length = random.index(4);
                Self::Binary(random.bytes(length).iter().map(|byte| byte % 3).collect())
            }
        }
    }

    /// The type that must stand beside it, and its JSON.
    fn to_json(&self) -> (Option<&'static str>, Json) {
        match self {
            Self::Text(text) => (None, json!(text)),
            Self::Int32(number) => (None, json!(number)),
            Self::Int64(number) => (Some("Edm.Int64"), json!(number.to_string())),
            Self::Double(number) if number.is_nan() => (Some("Edm.Double"), json!("NaN")),
            Self::Double(number) if number.is_infinite() => {
                (Some("Edm.Double"), json!(if *number > 0.0 { "Infinity" } else { "-Infinity" }))
            }
            Self::Double(number) => (None, json!(number)),
            Self::Boolean(truth) => (None, json!(truth)),
            Self::Date(text) => (Some("Edm.DateTime"), json!(text)),
            Self::Guid(text) => (Some("Edm.Guid"), json!(text)),
            Self::Binary(bytes) => (Some("Edm.Binary"), json!(STANDARD.encode(bytes))),
        }
    }

    fn from_json(edm: Option<&str>, json: &Json) -> Self {
        let text = || json.as_str().unwrap_or_else(|| panic!("{edm:?} is not text: {json}"));
        match edm {
            Some("Edm.Int64") => Self::Int64(text().parse().expect("an integer")),
            Some("Edm.DateTime") => Self::Date(padded(text())),
            Some("Edm.Guid") => Self::Guid(text().to_owned()),
            Some("Edm.Binary") => Self::Binary(STANDARD.decode(text()).expect("Base64")),
            Some("Edm.Double") => Self::Double(match json {
                Json::String(text) => match text.as_str() {
                    "NaN" => f64::NAN,
                    "Infinity" => f64::INFINITY,
                    "-Infinity" => f64::NEG_INFINITY,
                    other => panic!("no double: {other}"),
                },
                other => other.as_f64().expect("a number"),
            }),
            Some(other) => panic!("an unknown type: {other}"),
            None => match json {
                Json::String(text) => Self::Text(text.clone()),
                Json::Bool(truth) => Self::Boolean(*truth),
                Json::Number(number) if number.is_f64() => Self::Double(number.as_f64().expect("it is one")),
                Json::Number(number) => {
                    let number = number.as_i64().and_then(|number| i32::try_from(number).ok());
                    Self::Int32(number.expect("a number without a type has 32 bits"))
                }
                other => panic!("no value: {other}"),
            },
        }
    }

    /// A spelling of it in a filter.
    pub(super) fn literal(&self, random: &mut Random) -> String {
        match self {
            Self::Text(text) => format!("'{}'", text.replace('\'', "''")),
            Self::Int32(number) => number.to_string(),
            Self::Int64(number) => format!("{number}{}", pick(random, &["L", "l"])),
            Self::Double(number) if number.is_nan() => "NaN".to_owned(),
            Self::Double(number) if number.is_infinite() => {
                if *number > 0.0 {
                    "INF".to_owned()
                } else {
                    "-INF".to_owned()
                }
            }
            Self::Double(number) => format!("{number:?}"),
            Self::Boolean(truth) => truth.to_string(),
            Self::Date(text) => {
                let short = text.trim_end_matches('Z').trim_end_matches('0').trim_end_matches('.');
                // A date whose seconds end in zeros must keep them.
                let short = if short.len() > 19 { short } else { &text[..19] };
                format!("datetime'{}'", pick(random, &[text.clone(), format!("{short}Z")]))
            }
            Self::Guid(text) => format!("guid'{}'", pick(random, &[text.clone(), text.to_uppercase()])),
            Self::Binary(bytes) => {
                let digits = bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
                let digits = if random.below(2) == 0 { digits } else { digits.to_uppercase() };
                format!("{}'{digits}'", pick(random, &["X", "binary"]))
            }
        }
    }

    /// The order of two values; none if they do not compare, `Some(None)` if one is NaN.
    #[expect(clippy::option_option, reason = "not comparable and unordered are different answers")]
    pub(super) fn compare(&self, other: &Self) -> Option<Option<Ordering>> {
        Some(match (self, other) {
            (Self::Text(one), Self::Text(other)) => {
                let units = |text: &str| text.encode_utf16().collect::<Vec<_>>();
                Some(units(one).cmp(&units(other)))
            }
            (Self::Date(one), Self::Date(other)) | (Self::Guid(one), Self::Guid(other)) => {
                Some(one.cmp(other))
            }
            (Self::Boolean(one), Self::Boolean(other)) => Some(one.cmp(other)),
            (Self::Binary(one), Self::Binary(other)) => Some(one.cmp(other)),
            _ => match (self.whole(), other.whole()) {
                (Some(one), Some(other)) => Some(one.cmp(&other)),
                (Some(one), None) => by_value(one, other.double()?),
                (None, Some(other)) => by_value(other, self.double()?).map(Ordering::reverse),
                (None, None) => self.double()?.partial_cmp(&other.double()?),
            },
        })
    }

    fn whole(&self) -> Option<i128> {
        match self {
            Self::Int32(number) => Some(i128::from(*number)),
            Self::Int64(number) => Some(i128::from(*number)),
            _ => None,
        }
    }

    fn double(&self) -> Option<f64> {
        if let Self::Double(number) = self { Some(*number) } else { None }
    }
}

/// The exact order of a whole number and a double: by the double's whole part, then by what is behind its point.
#[expect(clippy::cast_possible_truncation, reason = "saturates far outside of what an integer can be")]
fn by_value(whole: i128, double: f64) -> Option<Ordering> {
    if double.is_nan() {
        return None;
    }
    let down = double.floor();
    Some(whole.cmp(&(down as i128)).then(if double > down { Ordering::Less } else { Ordering::Equal }))
}

/// A date with all seven digits.
fn padded(text: &str) -> String {
    let text = text.strip_suffix('Z').expect("dates are in universal time");
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{seconds}.{fraction:0<7}Z")
}

/// The body of a request with these properties, and with keys if they are given. Types stand before or behind
/// what they are about, and what is null is as good as not there.
pub(super) fn document(properties: &Properties, keys: Option<(&str, &str)>, random: &mut Random) -> String {
    let mut members = Vec::new();
    if let Some((partition, row)) = keys {
        members.push(format!("\"PartitionKey\":{}", json!(partition)));
        members.push(format!("\"RowKey\":{}", json!(row)));
    }
    if random.below(3) == 0 {
        members.push("\"Nothing\":null".to_owned());
        members.push("\"Timestamp\":\"2001-01-01T00:00:00Z\"".to_owned());
        members.push("\"odata.etag\":\"W/\\\"something\\\"\"".to_owned());
    }
    for (name, value) in properties {
        let (edm, json) = value.to_json();
        let member = format!("{}:{json}", json!(name));
        let annotation = edm.map(|edm| format!("{}:\"{edm}\"", json!(format!("{name}@odata.type"))));
        if random.below(2) == 0 {
            members.extend(annotation);
            members.push(member);
        } else {
            members.push(member);
            members.extend(annotation);
        }
    }
    format!("{{{}}}", members.join(","))
}

/// The properties of a JSON entity, null for those that it lacks. What the server adds of its own is checked for
/// being there or not, and left out: tags, addresses, the timestamp.
pub(super) fn read(row: &Json, with_metadata: bool) -> BTreeMap<String, Option<Value>> {
    let members: &Map<String, Json> = row.as_object().expect("an entity is an object");
    assert_eq!(members.contains_key("odata.etag"), with_metadata, "{row}");
    let mut read = BTreeMap::new();
    for (name, json) in members {
        if name.starts_with("odata.") || name.contains("@odata.") || name == "Timestamp" {
            continue;
        }
        let edm = members.get(&format!("{name}@odata.type")).and_then(Json::as_str);
        let value = if json.is_null() { None } else { Some(Value::from_json(edm, json)) };
        read.insert(name.clone(), value);
    }
    read
}
