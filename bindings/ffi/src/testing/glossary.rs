//! Every error an app can get, so that tests can ask whether it has words for each.
//!
//! The core lists its own ([`wardline::glossary`]); here stand those of this surface and of the signing side, and how
//! the three languages call what they catch. Their own tests hold them to it.

use wardline_org::{
    authority::{AuthorityError, SnapshotError},
    entry::EntryError,
    fhir::ExportError,
    head::HeadError,
    policy::PolicyError,
    publisher::{PublisherError, SaveError},
    root::{Purpose, RootError},
    wipe::WipeError,
};

use crate::error::{Recovery, WardlineError};

/// A code, and what is to be known about it.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ErrorCode {
    /// The stable code.
    pub code: String,
    /// The domain: a variant of [`WardlineError`].
    pub domain: String,
    /// What Python raises.
    pub python: String,
    /// What Kotlin throws.
    pub kotlin: String,
    /// The case of `WardlineError.Cause` in Swift, or the error that takes its place.
    pub swift: String,
    /// What happened and what to do, for developers: one text for each cause.
    pub meanings: Vec<String>,
    /// Whether the same call may succeed later without anybody doing anything.
    pub retryable: bool,
    /// What a person or the app can do about it.
    pub recovery: Recovery,
}

/// Every code that a call can end with, in the order of the domains.
#[uniffi::export]
pub fn error_codes() -> Vec<ErrorCode> {
    let mut codes: Vec<ErrorCode> = Vec::new();
    for error in errors() {
        let meaning = meaning(&error);
        match codes.iter_mut().find(|known| known.code == error.code()) {
            Some(known) if known.meanings.contains(&meaning) => {}
            Some(known) => known.meanings.push(meaning),
            None => codes.push(ErrorCode {
                code: error.code().to_owned(),
                domain: error.domain().to_owned(),
                python: python(&error),
                kotlin: kotlin(&error),
                swift: swift(&error),
                meanings: vec![meaning],
                retryable: error.retryable(),
                recovery: error.recovery(),
            }),
        }
    }
    let place = |code: &ErrorCode| {
        WardlineError::DOMAINS
            .iter()
            .position(|domain| domain.name == code.domain)
    };
    codes.sort_by_key(place);
    codes
}

/// Ends with the error that has this code, as a call would; with nothing when there is none.
#[uniffi::export]
pub fn raise_error(code: &str) -> Result<(), WardlineError> {
    match errors().into_iter().find(|error| error.code() == code) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

fn errors() -> Vec<WardlineError> {
    let core = wardline::glossary::errors().into_iter();
    core.map(WardlineError::from)
        .chain([
            WardlineError::argument("the argument that is named"),
            WardlineError::closed(),
            WardlineError::forked(),
            WardlineError::cancelled(),
            WardlineError::defect("a fault of Wardline; report it"),
        ])
        .chain(signing())
        .collect()
}

fn signing() -> impl Iterator<Item = WardlineError> {
    let authority = [
        AuthorityError::MissingKey(Purpose::Head),
        AuthorityError::UnknownPerson,
        AuthorityError::UnknownDevice,
        AuthorityError::PolicyVersion,
        AuthorityError::Unsettled,
        AuthorityError::Unvouched,
        AuthorityError::Wipe(WipeError::Malformed),
        AuthorityError::Entry(EntryError::TooLarge),
        AuthorityError::Root(RootError::SharedKey),
        AuthorityError::Head(HeadError::Malformed),
        AuthorityError::Policy(PolicyError::Malformed),
    ];
    let snapshot = [
        SnapshotError::Malformed,
        SnapshotError::Format(9),
        SnapshotError::OtherKey(Purpose::Head),
    ];
    let export = [
        ExportError::Io(std::io::ErrorKind::NotFound.into()),
        ExportError::NoPractitioners,
    ];
    let publisher = [
        PublisherError::Head(HeadError::OtherOrg),
        PublisherError::Save(SaveError),
        PublisherError::Diverged { held: 8, relay: 9 },
        PublisherError::Contended,
    ];
    authority
        .map(WardlineError::from)
        .into_iter()
        .chain(snapshot.map(WardlineError::from))
        .chain(export.map(WardlineError::from))
        .chain(publisher.map(WardlineError::from))
}

/// Without the code, which a relay's refusal says once more.
fn meaning(error: &WardlineError) -> String {
    let text = error.to_string();
    let prefix = format!("{}: ", error.code());
    text.trim_start_matches(&prefix).to_owned()
}

fn python(error: &WardlineError) -> String {
    match (error.domain(), error.code()) {
        (_, "WL-FORKED") => "ForkedError".to_owned(),
        (domain, _) => format!("{}Error", class(domain)),
    }
}

fn kotlin(error: &WardlineError) -> String {
    format!("{}Exception", class(error.domain()))
}

fn swift(error: &WardlineError) -> String {
    match error.domain() {
        "Cancelled" => "CancellationError".to_owned(),
        domain => {
            let name = domain.strip_suffix("Refused").unwrap_or(domain);
            let (first, rest) = name.split_at(1);
            format!(".{}{rest}", first.to_ascii_lowercase())
        }
    }
}

/// Where a language has the word for something else, or says it in short.
fn class(domain: &str) -> &str {
    match domain {
        "PassphraseRefused" => "Passphrase",
        "Cancelled" => "WaitCancelled",
        domain => domain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_domain_has_a_code_and_every_code_one_domain() {
        let codes = error_codes();
        for domain in WardlineError::DOMAINS {
            let found = codes.iter().any(|code| code.domain == domain.name);
            assert!(found, "{}", domain.name);
        }
        for error in errors() {
            let known = codes.iter().find(|code| code.code == error.code());
            let known = known.unwrap_or_else(|| panic!("{error} is not listed"));
            assert_eq!(known.domain, error.domain(), "{error}");
            let says = (error.retryable(), error.recovery());
            assert_eq!((known.retryable, known.recovery), says, "{error}");
        }
    }

    #[test]
    fn an_error_can_be_had_by_its_code() {
        for code in error_codes() {
            assert_eq!(raise_error(&code.code).unwrap_err().code(), code.code);
        }
        raise_error("WL-NO-SUCH-CODE").unwrap();
    }
}
