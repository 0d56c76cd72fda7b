//! Why the signing side refuses, with codes of its own: `wardline-org` names causes, not codes.

use wardline_org::{
    CallError,
    authority::{AuthorityError, SnapshotError},
    fhir::ExportError,
    head::HeadError,
    publisher::PublisherError,
};

use crate::error::{Facts, Recovery, WardlineError, variant};

fn refused(code: &str, error: &impl ToString, recovery: Recovery) -> WardlineError {
    variant!(Authority, Facts::own(code, error.to_string(), recovery))
}

impl From<AuthorityError> for WardlineError {
    fn from(error: AuthorityError) -> Self {
        let code = match &error {
            AuthorityError::MissingKey(_) => "WL-AUTHORITY-MISSING-KEY",
            AuthorityError::UnknownPerson => "WL-AUTHORITY-UNKNOWN-PERSON",
            AuthorityError::UnknownDevice => "WL-AUTHORITY-UNKNOWN-DEVICE",
            AuthorityError::Unvouched => "WL-AUTHORITY-UNVOUCHED",
            AuthorityError::PolicyVersion => "WL-AUTHORITY-POLICY-VERSION",
            AuthorityError::Unsettled => "WL-AUTHORITY-UNSETTLED",
            AuthorityError::Entry(_) => "WL-AUTHORITY-ENTRY",
            AuthorityError::Root(_) => "WL-AUTHORITY-ROOT",
            AuthorityError::Head(head) => return (*head).into(),
            AuthorityError::Policy(_) => "WL-AUTHORITY-POLICY",
            AuthorityError::Wipe(_) => "WL-AUTHORITY-WIPE",
            AuthorityError::Random(_) => return wardline::Error::NoRandomness.into(),
        };
        refused(code, &error, Recovery::AskTheDeveloper)
    }
}

impl From<HeadError> for WardlineError {
    fn from(error: HeadError) -> Self {
        refused("WL-AUTHORITY-HEAD", &error, Recovery::AskTheAdministrator)
    }
}

impl From<SnapshotError> for WardlineError {
    fn from(error: SnapshotError) -> Self {
        let (code, recovery) = match &error {
            SnapshotError::Malformed => ("WL-AUTHORITY-SNAPSHOT", Recovery::AskTheDeveloper),
            SnapshotError::Format(_) => ("WL-AUTHORITY-SNAPSHOT-NEWER", Recovery::UpdateTheApp),
            SnapshotError::OtherKey(_) => ("WL-AUTHORITY-OTHER-KEY", Recovery::AskTheDeveloper),
        };
        refused(code, &error, recovery)
    }
}

impl From<ExportError> for WardlineError {
    fn from(error: ExportError) -> Self {
        let code = match &error {
            ExportError::Io(_) => "WL-AUTHORITY-EXPORT-IO",
            ExportError::NoPractitioners => "WL-AUTHORITY-EXPORT-EMPTY",
        };
        // The text of an input or output error names the host's paths, not people.
        refused(code, &error, Recovery::AskTheAdministrator)
    }
}

impl From<PublisherError> for WardlineError {
    fn from(error: PublisherError) -> Self {
        let (code, recovery) = match &error {
            PublisherError::Call(call) => {
                let call: CallError = call.clone();
                return wardline::Error::from(call).into();
            }
            PublisherError::Authority(authority) => return (*authority).into(),
            PublisherError::Head(head) => return (*head).into(),
            PublisherError::Wipe(_) => ("WL-AUTHORITY-WIPE", Recovery::AskTheAdministrator),
            PublisherError::Save(_) => ("WL-AUTHORITY-SAVE", Recovery::Retry),
            PublisherError::Diverged { .. } => {
                ("WL-AUTHORITY-DIVERGED", Recovery::AskTheAdministrator)
            }
            PublisherError::Contended => ("WL-AUTHORITY-CONTENDED", Recovery::Retry),
        };
        refused(code, &error, recovery)
    }
}
