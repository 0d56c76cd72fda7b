//! What is allowed, asked before anything is kept: the organization's policy on this device.
//!
//! The policy itself is parsed and signed in `wardline-org`. Here are the points where it is asked.

use wardline_org::{person::StaffRole, policy::Policy};

use crate::error::SendError;

/// Whether a text may be sent. A refusal changes nothing and says why.
pub(crate) fn check_text(text: &str, policy: &Policy) -> Result<(), SendError> {
    if text.trim().is_empty() {
        return Err(SendError::Empty);
    }
    check_length(text, policy)
}

/// Whether a text is short enough; it may be empty.
pub(crate) fn check_length(text: &str, policy: &Policy) -> Result<(), SendError> {
    let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
    let limit = u64::from(policy.max_text_bytes);
    if length > limit {
        return Err(SendError::TooLong { length, limit });
    }
    Ok(())
}

/// Whether a stat message may be sent about a patient with so many identifiers. `roles` are the sender's, if they
/// are known: if not, the recipients' devices see to it.
pub(crate) fn check_stat(
    identifiers: usize,
    roles: Option<&[StaffRole]>,
    policy: &Policy,
) -> Result<(), SendError> {
    if roles.is_some_and(|roles| !policy.allows_stat(roles)) {
        return Err(SendError::StatNotAllowed);
    }
    let needed = policy.stat_patient_identifiers;
    if u32::try_from(identifiers).unwrap_or(u32::MAX) < needed {
        return Err(SendError::PatientNotIdentified { needed });
    }
    Ok(())
}

/// Whether a text and its patient fit, in bytes together, with so many identifiers. They are what a sender
/// decides; the rest of a content (ten thousand recipients, padding) fits beside them into the relay's
/// mebibyte.
pub(crate) fn check_size(bytes: usize, identifiers: usize) -> Result<(), SendError> {
    let number = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
    if identifiers > MOST_IDENTIFIERS {
        return Err(SendError::TooManyIdentifiers {
            length: number(identifiers),
            limit: number(MOST_IDENTIFIERS),
        });
    }
    if bytes > MOST_BYTES {
        return Err(SendError::TooLarge {
            length: number(bytes),
            limit: number(MOST_BYTES),
        });
    }
    Ok(())
}

const MOST_IDENTIFIERS: usize = 64;
const MOST_BYTES: usize = 704 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_measured_in_bytes_against_the_policy() {
        let policy = Policy {
            max_text_bytes: 4,
            ..Policy::new("mercy".parse().unwrap_or_else(|_| unreachable!()))
        };
        assert_eq!(check_text("K 66", &policy), Ok(()));
        assert_eq!(
            check_text("äöü", &policy),
            Err(SendError::TooLong {
                length: 6,
                limit: 4
            })
        );
        assert_eq!(check_text(" \n\t", &policy), Err(SendError::Empty));
    }
}
