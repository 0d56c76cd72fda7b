//! Messages with typed fields, which any client can show as text.

use wardline_org::Timestamp;

use crate::{error::WardlineError, ids::parse};

/// What a structured message says. Fields that may be missing are empty.
#[derive(Clone, PartialEq, Eq, uniffi::Enum)]
pub enum Structured {
    /// A handoff: `wardline.sbar/1`. At least the situation is not empty.
    Sbar {
        /// What is happening.
        situation: String,
        /// What led to it.
        background: String,
        /// What the author makes of it.
        assessment: String,
        /// What the author asks for.
        recommendation: String,
    },
    /// A critical result: `wardline.critical-result/1`. Its test (by name or code) and its value are not
    /// empty. It asks for an answer, and nobody accepts it without reading it back.
    CriticalResult {
        /// What was measured, as people say it.
        test_name: String,
        /// What was measured, as systems say it, such as the LOINC code `2823-3`.
        test_code: String,
        /// The value, as the laboratory writes it.
        value: String,
        /// Its unit, such as `mmol/L`.
        unit: String,
        /// What is normal, such as `3.5-5.0`.
        reference_range: String,
        /// How abnormal it is, in the letters of HL7 table 0078 such as `HH`.
        abnormal_flag: String,
        /// When the specimen was taken, in milliseconds since 1970.
        specimen_at_ms: Option<i64>,
    },
    /// An order by text: `wardline.order/1`. What is ordered is not empty. It asks for an answer, and nobody
    /// accepts it without reading it back.
    Order {
        /// What is ordered.
        what: String,
        /// How much.
        dose: String,
        /// Which way.
        route: String,
        /// How often.
        frequency: String,
        /// Who orders it: the author, or whom the author writes for. Only the author is proven.
        ordered_by: String,
    },
    /// A type of somebody else's.
    Vendor {
        /// The vendor's domain, a name and a version: `vendor.example.com/form/1`.
        type_uri: String,
        /// What only the vendor's apps read, at most 64 KiB.
        body: Vec<u8>,
    },
}

/// Shows nothing of what was written.
impl std::fmt::Debug for Structured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Structured").finish_non_exhaustive()
    }
}

impl Structured {
    /// What the core says; nothing for a type that this surface does not know yet: the text says the same.
    pub(crate) fn of(structured: wardline::Structured) -> Option<Self> {
        use wardline::Structured as Core;
        Some(match structured {
            Core::Sbar(sbar) => Self::Sbar {
                situation: sbar.situation,
                background: sbar.background,
                assessment: sbar.assessment,
                recommendation: sbar.recommendation,
            },
            Core::CriticalResult(result) => Self::CriticalResult {
                test_name: result.test_name,
                test_code: result.test_code,
                value: result.value,
                unit: result.unit,
                reference_range: result.reference_range,
                abnormal_flag: result.abnormal_flag,
                specimen_at_ms: result.specimen_at.map(Timestamp::as_millis),
            },
            Core::Order(order) => Self::Order {
                what: order.what,
                dose: order.dose,
                route: order.route,
                frequency: order.frequency,
                ordered_by: order.ordered_by.to_string(),
            },
            Core::Vendor(vendor) => Self::Vendor {
                type_uri: vendor.type_uri,
                body: vendor.body,
            },
            _ => return None,
        })
    }
}

impl TryFrom<Structured> for wardline::Structured {
    type Error = WardlineError;

    fn try_from(structured: Structured) -> Result<Self, WardlineError> {
        Ok(match structured {
            Structured::Sbar {
                situation,
                background,
                assessment,
                recommendation,
            } => Self::Sbar(wardline::Sbar {
                situation,
                background,
                assessment,
                recommendation,
            }),
            Structured::CriticalResult {
                test_name,
                test_code,
                value,
                unit,
                reference_range,
                abnormal_flag,
                specimen_at_ms,
            } => Self::CriticalResult(wardline::CriticalResult {
                test_name,
                test_code,
                value,
                unit,
                reference_range,
                abnormal_flag,
                specimen_at: specimen_at_ms.map(Timestamp::from_millis),
            }),
            Structured::Order {
                what,
                dose,
                route,
                frequency,
                ordered_by,
            } => Self::Order(wardline::Order {
                what,
                dose,
                route,
                frequency,
                ordered_by: parse("ordered_by", &ordered_by)?,
            }),
            Structured::Vendor { type_uri, body } => {
                Self::Vendor(wardline::VendorContent { type_uri, body })
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_structured_goes_in_and_comes_out_as_it_was() {
        let words = |word: &str| format!("the {word}");
        for structured in [
            Structured::Sbar {
                situation: words("situation"),
                background: words("background"),
                assessment: words("assessment"),
                recommendation: words("recommendation"),
            },
            Structured::CriticalResult {
                test_name: words("name"),
                test_code: words("code"),
                value: words("value"),
                unit: words("unit"),
                reference_range: words("range"),
                abnormal_flag: words("flag"),
                specimen_at_ms: Some(-1),
            },
            Structured::Order {
                what: words("what"),
                dose: words("dose"),
                route: words("route"),
                frequency: words("frequency"),
                ordered_by: "DR-1".to_owned(),
            },
            Structured::Vendor {
                type_uri: words("type"),
                body: vec![0, 1],
            },
        ] {
            let core = wardline::Structured::try_from(structured.clone()).unwrap();
            assert_eq!(Structured::of(core), Some(structured.clone()));
            assert_eq!(format!("{structured:?}"), "Structured { .. }");
        }
    }
}
