//! `Debug` for the messages that must never be printed: it names the type and shows nothing.

use std::fmt;

use crate::v1;

macro_rules! opaque {
    ($($name:ident),+ $(,)?) => {$(
        impl fmt::Debug for v1::$name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )+};
}

opaque!(
    AdvanceRequest,
    AmendBody,
    AnswerBody,
    CancelRequest,
    Content,
    ContentKey,
    CriticalResultBody,
    EnrollRequest,
    Escalation,
    ForwardBody,
    HeldKey,
    OrderBody,
    PatientContext,
    PatientIdentifier,
    RecallBody,
    RegisterPushRequest,
    SbarBody,
    Sealed,
    SignedContent,
    TextBody
);

#[cfg(test)]
mod tests {
    use crate::v1;

    #[test]
    fn nothing_that_was_written_and_no_secret_is_shown() {
        let text = || "canary".to_owned();
        let bytes = || b"canary".to_vec();
        let shown = |message: &dyn std::fmt::Debug| format!("{message:?}");
        let amended = v1::AmendBody {
            text: text(),
            reason: text(),
            ..Default::default()
        };
        let answer = v1::AnswerBody {
            read_back: text(),
            ..Default::default()
        };
        let forward = v1::ForwardBody {
            comment: text(),
            ..Default::default()
        };
        let handoff = v1::SbarBody {
            situation: text(),
            ..Default::default()
        };
        let result = v1::CriticalResultBody {
            value: text(),
            ..Default::default()
        };
        let order = v1::OrderBody {
            dose: text(),
            ..Default::default()
        };
        let identifier = v1::PatientIdentifier {
            system: text(),
            value: text(),
        };
        let patient = v1::PatientContext {
            display_name: text(),
            ..Default::default()
        };
        let content = v1::Content {
            fallback_text: text(),
            body: bytes(),
            ..Default::default()
        };
        let signed = v1::SignedContent {
            content: bytes(),
            signature: Vec::new(),
        };
        let key = v1::ContentKey {
            key: bytes(),
            ..Default::default()
        };
        let held_key = v1::HeldKey {
            key: bytes(),
            ..Default::default()
        };
        let plan = v1::Escalation {
            stop_secret: bytes(),
            ..Default::default()
        };
        let cancel = v1::CancelRequest {
            stop_secret: bytes(),
            ..Default::default()
        };
        let advance = v1::AdvanceRequest {
            stop_secret: bytes(),
            ..Default::default()
        };
        let numbers = shown(&bytes());
        for shown in [
            shown(&v1::TextBody { text: text() }),
            shown(&v1::RecallBody { reason: text() }),
            shown(&amended),
            shown(&forward),
            shown(&answer),
            shown(&handoff),
            shown(&result),
            shown(&order),
            shown(&identifier),
            shown(&patient),
            shown(&content),
            shown(&signed),
            shown(&key),
            shown(&held_key),
            shown(&plan),
            shown(&cancel),
            shown(&advance),
        ] {
            assert!(
                !shown.contains("canary") && !shown.contains(&numbers),
                "{shown}"
            );
        }
    }
}
