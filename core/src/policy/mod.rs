//! What is allowed, asked before anything is kept: the organization's policy on this device.
//!
//! The policy itself is parsed and signed in `wardline-org`. Here are the points where it is asked.

use wardline_org::policy::Policy;

use crate::error::SendError;

/// Whether a text may be sent. A refusal changes nothing and says why.
pub(crate) fn check_text(text: &str, policy: &Policy) -> Result<(), SendError> {
    if text.trim().is_empty() {
        return Err(SendError::Empty);
    }
    let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
    let limit = u64::from(policy.max_text_bytes);
    if length > limit {
        return Err(SendError::TooLong { length, limit });
    }
    Ok(())
}

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
