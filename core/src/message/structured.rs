//! Structured messages: typed fields that any client can show as text.
//!
//! One mechanism for all of them: a type URI, a body, and a text that says the same to whoever does not know the type.
//! The text is made here, of the fields in their order and without a word of any language, unless the app has given
//! its own. Vendors add types of their own, whose bodies only they read.
//!
//! Not its concern: who must answer what, which [`super::rows`] notes, and what a device knows of a type, which its
//! credential says.

use wardline_org::{Timestamp, UserId};
use wardline_proto::{Message as _, v1};

use crate::error::SendError;

/// What a structured message says.
///
/// ```
/// use wardline::{Draft, Recipient, Sbar, Structured};
///
/// let handoff = Sbar {
///     situation: "Bed 4, chest pain since 10:00".into(),
///     background: "CABG 2019".into(),
///     assessment: "Unstable angina?".into(),
///     recommendation: "Please see now".into(),
/// };
/// let draft = Draft::new(Recipient::Team("careteam-17".parse()?), "").structured(Structured::Sbar(handoff));
/// # let _ = draft;
/// # Ok::<(), wardline_org::id::IdError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Structured {
    /// A handoff: `wardline.sbar/1`.
    Sbar(Sbar),
    /// A critical result: `wardline.critical-result/1`. It asks for an answer, and nobody accepts it without
    /// reading it back.
    CriticalResult(CriticalResult),
    /// An order by text: `wardline.order/1`. It asks for an answer, and nobody accepts it without reading it back.
    Order(Order),
    /// A type of somebody else's.
    Vendor(VendorContent),
}

/// A handoff in four parts; at least the situation is not empty.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Sbar {
    /// What is happening.
    pub situation: String,
    /// What led to it.
    pub background: String,
    /// What the author makes of it.
    pub assessment: String,
    /// What the author asks for.
    pub recommendation: String,
}

/// A result that somebody must know of now. Its test (by name or code) and its value are not empty.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct CriticalResult {
    /// What was measured, as people say it.
    pub test_name: String,
    /// What was measured, as systems say it, such as the LOINC code `2823-3`; may be empty.
    pub test_code: String,
    /// The value, as the laboratory writes it.
    pub value: String,
    /// Its unit, such as `mmol/L`; may be empty.
    pub unit: String,
    /// What is normal, such as `3.5-5.0`; may be empty.
    pub reference_range: String,
    /// How abnormal it is, in the letters of HL7 table 0078 such as `HH`; may be empty.
    pub abnormal_flag: String,
    /// When the specimen was taken.
    pub specimen_at: Option<Timestamp>,
}

/// An order by text. What is ordered is not empty.
#[derive(Clone, PartialEq, Eq)]
pub struct Order {
    /// What is ordered.
    pub what: String,
    /// How much; may be empty.
    pub dose: String,
    /// Which way; may be empty.
    pub route: String,
    /// How often; may be empty.
    pub frequency: String,
    /// Who orders it: the author, or whom the author writes for. Only the author is proven.
    pub ordered_by: UserId,
}

/// A content of a vendor's own type.
#[derive(Clone, PartialEq, Eq)]
pub struct VendorContent {
    /// The vendor's domain, a name and a version: `vendor.example.com/form/1`.
    pub type_uri: String,
    /// What only the vendor's apps read, at most 64 KiB.
    pub body: Vec<u8>,
}

macro_rules! opaque {
    ($($name:ident),+) => {$(
        /// Shows nothing of what was written.
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )+};
}
opaque!(Structured, Sbar, CriticalResult, Order, VendorContent);

impl Structured {
    /// The type of the content that says it.
    pub fn type_uri(&self) -> &str {
        match self {
            Self::Sbar(_) => SBAR,
            Self::CriticalResult(_) => CRITICAL_RESULT,
            Self::Order(_) => ORDER,
            Self::Vendor(vendor) => &vendor.type_uri,
        }
    }

    /// Whether it is complete and of a type that may be sent.
    pub(crate) fn check(&self) -> Result<(), SendError> {
        let given = |field: &'static str, values: &[&str]| {
            if values.iter().any(|value| !value.trim().is_empty()) {
                Ok(())
            } else {
                Err(SendError::Incomplete { field })
            }
        };
        match self {
            Self::Sbar(sbar) => given("situation", &[&sbar.situation]),
            Self::CriticalResult(result) => {
                given("test", &[&result.test_name, &result.test_code])?;
                given("value", &[&result.value])
            }
            Self::Order(order) => given("what", &[&order.what]),
            Self::Vendor(vendor) => {
                if !is_vendors(&vendor.type_uri) {
                    return Err(SendError::NotAVendorType);
                }
                if vendor.body.len() > MOST_VENDOR_BYTES {
                    let number = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
                    return Err(SendError::TooLarge {
                        length: number(vendor.body.len()),
                        limit: number(MOST_VENDOR_BYTES),
                    });
                }
                Ok(())
            }
        }
    }

    /// The body of the content that says it.
    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Sbar(sbar) => v1::SbarBody {
                situation: sbar.situation.clone(),
                background: sbar.background.clone(),
                assessment: sbar.assessment.clone(),
                recommendation: sbar.recommendation.clone(),
            }
            .encode_to_vec(),
            Self::CriticalResult(result) => v1::CriticalResultBody {
                test_name: result.test_name.clone(),
                test_code: result.test_code.clone(),
                value: result.value.clone(),
                unit: result.unit.clone(),
                reference_range: result.reference_range.clone(),
                abnormal_flag: result.abnormal_flag.clone(),
                specimen_at_ms: result.specimen_at.map_or(0, Timestamp::as_millis),
            }
            .encode_to_vec(),
            Self::Order(order) => v1::OrderBody {
                what: order.what.clone(),
                dose: order.dose.clone(),
                route: order.route.clone(),
                frequency: order.frequency.clone(),
                ordered_by: order.ordered_by.to_string(),
            }
            .encode_to_vec(),
            Self::Vendor(vendor) => vendor.body.clone(),
        }
    }

    /// What a content says, if this version knows its type or it is a vendor's, and it is complete.
    pub(crate) fn of(content: &v1::Content) -> Option<Self> {
        let body = content.body.as_slice();
        let structured = match content.type_uri.as_str() {
            SBAR => {
                let body = v1::SbarBody::decode(body).ok()?;
                Self::Sbar(Sbar {
                    situation: body.situation,
                    background: body.background,
                    assessment: body.assessment,
                    recommendation: body.recommendation,
                })
            }
            CRITICAL_RESULT => {
                let body = v1::CriticalResultBody::decode(body).ok()?;
                Self::CriticalResult(CriticalResult {
                    test_name: body.test_name,
                    test_code: body.test_code,
                    value: body.value,
                    unit: body.unit,
                    reference_range: body.reference_range,
                    abnormal_flag: body.abnormal_flag,
                    specimen_at: (body.specimen_at_ms != 0)
                        .then(|| Timestamp::from_millis(body.specimen_at_ms)),
                })
            }
            ORDER => {
                let body = v1::OrderBody::decode(body).ok()?;
                Self::Order(Order {
                    what: body.what,
                    dose: body.dose,
                    route: body.route,
                    frequency: body.frequency,
                    ordered_by: UserId::new(body.ordered_by).ok()?,
                })
            }
            uri => Self::Vendor(VendorContent {
                type_uri: uri.to_owned(),
                body: body.to_vec(),
            }),
        };
        structured.check().is_ok().then_some(structured)
    }

    /// What anybody can read of it: its fields in their order, without a word of any language. Nothing of a
    /// vendor's.
    pub(crate) fn fallback(&self) -> String {
        match self {
            Self::Sbar(sbar) => {
                let parts = [
                    ("S", &sbar.situation),
                    ("B", &sbar.background),
                    ("A", &sbar.assessment),
                    ("R", &sbar.recommendation),
                ];
                let given = parts.iter().filter(|(_, text)| !text.trim().is_empty());
                let lines: Vec<String> = given
                    .map(|(letter, text)| format!("{letter}: {text}"))
                    .collect();
                lines.join("\n")
            }
            Self::CriticalResult(result) => {
                let around = |text: &str, before: &str, after: &str| match text.trim() {
                    "" => String::new(),
                    text => format!("{before}{text}{after}"),
                };
                let at = result.specimen_at.map(|at| at.to_string());
                joined(
                    " ",
                    &[
                        &result.test_name,
                        &around(&result.test_code, "(", ")"),
                        &result.value,
                        &result.unit,
                        &result.abnormal_flag,
                        &around(&result.reference_range, "[", "]"),
                        &around(at.as_deref().unwrap_or_default(), "@ ", ""),
                    ],
                )
            }
            Self::Order(order) => joined(
                " · ",
                &[
                    &order.what,
                    &order.dose,
                    &order.route,
                    &order.frequency,
                    order.ordered_by.as_str(),
                ],
            ),
            Self::Vendor(_) => String::new(),
        }
    }
}

/// Whether nobody accepts a content of this type without reading it back.
pub(crate) fn wants_read_back(content: &v1::Content) -> bool {
    matches!(content.type_uri.as_str(), CRITICAL_RESULT | ORDER)
}

/// What is given, one after the other.
fn joined(between: &str, parts: &[&str]) -> String {
    let given = parts.iter().map(|part| part.trim());
    let given: Vec<&str> = given.filter(|part| !part.is_empty()).collect();
    given.join(between)
}

/// A domain, a name and a version; never one of ours.
fn is_vendors(uri: &str) -> bool {
    let letters = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    let parts: Vec<&str> = uri.split('/').collect();
    let [domain, name, version] = parts[..] else {
        return false;
    };
    let labels: Vec<&str> = domain.split('.').collect();
    uri.len() <= MOST_TYPE_BYTES
        && labels.len() > 1
        && labels.iter().all(|label| letters(label))
        && labels.first() != Some(&"wardline")
        && name.split('.').all(letters)
        && !version.is_empty()
        && version.bytes().all(|byte| byte.is_ascii_digit())
}

const SBAR: &str = "wardline.sbar/1";
const CRITICAL_RESULT: &str = "wardline.critical-result/1";
const ORDER: &str = "wardline.order/1";
const MOST_VENDOR_BYTES: usize = 64 * 1024;
const MOST_TYPE_BYTES: usize = 128;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use super::*;

    #[test]
    fn the_text_of_a_type_is_its_fields_in_their_order() {
        let result = CriticalResult {
            test_name: "Potassium".into(),
            test_code: "2823-3".into(),
            value: "6.6".into(),
            unit: "mmol/L".into(),
            reference_range: "3.5-5.0".into(),
            abnormal_flag: "HH".into(),
            specimen_at: Some(Timestamp::from_millis(1_795_000_000_000)),
        };
        assert_eq!(
            Structured::CriticalResult(result).fallback(),
            "Potassium (2823-3) 6.6 mmol/L HH [3.5-5.0] @ 2026-11-18T11:06:40.000Z"
        );
        let order = Order {
            what: "Calcium gluconate".into(),
            dose: "1 g".into(),
            route: "IV".into(),
            frequency: String::new(),
            ordered_by: "DR-1".parse().unwrap(),
        };
        assert_eq!(
            Structured::Order(order).fallback(),
            "Calcium gluconate · 1 g · IV · DR-1"
        );
        let sbar = Sbar {
            situation: "Chest pain".into(),
            recommendation: "See now".into(),
            ..Sbar::default()
        };
        let text = Structured::Sbar(sbar).fallback();
        assert_eq!(text, "S: Chest pain\nR: See now");
    }

    #[test]
    fn a_vendor_names_its_types_by_its_own_domain() {
        for good in ["vendor.example.com/form/1", "a.b/wound-photo.v/12"] {
            assert!(is_vendors(good), "{good}");
        }
        for bad in [
            "",
            "form/1",
            "vendor/form/1",
            "vendor.example.com/form",
            "vendor.example.com/form/",
            "vendor.example.com/form/1/2",
            "vendor.example.com/Form/1",
            "vendor.example.com/form/one",
            "vendor..com/form/1",
            "wardline.example/form/1",
            "wardline.recall/1",
        ] {
            assert!(!is_vendors(bad), "{bad}");
        }
    }

    #[test]
    fn what_is_incomplete_is_not_read_as_complete() {
        let content = |type_uri: &str, body: Vec<u8>| v1::Content {
            type_uri: type_uri.into(),
            body,
            ..Default::default()
        };
        assert!(Structured::of(&content(CRITICAL_RESULT, Vec::new())).is_none());
        assert!(Structured::of(&content(SBAR, vec![0xff])).is_none());
        assert!(Structured::of(&content("wardline.sbar/2", Vec::new())).is_none());
        assert!(Structured::of(&content("x.example/form/1", vec![1])).is_some());
    }
}
