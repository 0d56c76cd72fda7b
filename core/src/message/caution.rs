//! Cautions: what a person should think of before a message leaves.
//!
//! A caution refuses nothing. It is worked out from what this device knows, so that none is no proof that all is
//! well: a patient whom nobody has written of here is not known here.
//!
//! Not its concern: what the policy refuses ([`crate::policy`]).

use std::collections::{BTreeMap, BTreeSet};

use wardline_org::{Timestamp, UserId};

use super::{Draft, Patient, PatientIdentifier, Priority};
use crate::{
    directory::Reachability,
    store::search::{Known, tidy},
};

/// Something to think of before a message leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Caution {
    /// The message interrupts whoever gets it. Ask whether it has to.
    Interrupts {
        /// How much: [`Priority::Urgent`] or [`Priority::Stat`].
        priority: Priority,
        /// So many messages of this person to the same recipient still wait for an answer.
        open: u32,
    },
    /// The person wants to be interrupted by stat messages alone, by their own word, and this is none.
    Undisturbed {
        /// Until when.
        until: Timestamp,
    },
    /// The person is away, by their own word.
    Away {
        /// Until when.
        until: Timestamp,
        /// Who is given it too; nobody when they named no one, or whom they named is away as well.
        delegate: Option<UserId>,
    },
    /// The directory has no device of the person: nobody will get it.
    NoDevice,
    /// The message interrupts, and does not say which patient it is about.
    NoPatient,
    /// The patient is named by fewer than two identifiers, which do not tell patients apart.
    OneIdentifier {
        /// How many there are.
        given: u32,
    },
    /// Another patient is known here by the same name or one that is easily confused with it. Show both.
    SimilarPatient {
        /// The other one: identifiers in the order of their systems, no encounter.
        known: Patient,
        /// The names are the same but for case, accents and order.
        same_name: bool,
    },
    /// A patient with the same identifiers is known here by another name.
    OtherName {
        /// Name and identifiers they are known by, in the order of their systems; no encounter.
        known: Patient,
    },
}

/// Every caution about a draft, those about the recipient first. `open` messages of this person's still wait for its
/// recipient; `words` are those of the patient's name, as those of the known ones are compared.
pub(crate) fn cautions(
    draft: &Draft,
    open: u32,
    known: Vec<Known>,
    words: &[String],
) -> Vec<Caution> {
    let mut cautions = Vec::new();
    let interrupts = draft.priority >= Priority::Urgent;
    if interrupts {
        let priority = draft.priority;
        cautions.push(Caution::Interrupts { priority, open });
    }
    let Some(patient) = &draft.patient else {
        if interrupts {
            cautions.push(Caution::NoPatient);
        }
        return cautions;
    };
    let identifiers = tidy(&pairs(patient));
    if identifiers.len() < 2 {
        cautions.push(Caution::OneIdentifier {
            given: u32::try_from(identifiers.len()).unwrap_or(u32::MAX),
        });
    }
    let about = known
        .into_iter()
        .filter_map(|known| about(known, words, &identifiers));
    cautions.extend(about.take(MOST_PATIENTS));
    cautions
}

/// Every caution about the person a draft goes to, by what is known of them and of who stands in for them.
pub(crate) fn of_recipient(
    draft: &Draft,
    known: &Reachability,
    delegate: Option<&Reachability>,
) -> Vec<Caution> {
    let mut cautions = Vec::new();
    if known.has_device == Some(false) {
        cautions.push(Caution::NoDevice);
    }
    if let Some(until) = known.do_not_disturb_until
        && draft.priority < Priority::Stat
    {
        cautions.push(Caution::Undisturbed { until });
    }
    if let Some(until) = known.away_until {
        let there = delegate.filter(|delegate| delegate.away_until.is_none());
        let delegate = there.map(|delegate| delegate.user.clone());
        cautions.push(Caution::Away { until, delegate });
    }
    cautions
}

/// The identifiers of a patient, as the search index has them.
pub(crate) fn pairs(patient: &Patient) -> Vec<(String, String)> {
    let pair = |id: &PatientIdentifier| (id.system.clone(), id.value.clone());
    patient.identifiers.iter().map(pair).collect()
}

/// What a known patient is a reason to think of.
fn about(
    known: Known,
    words: &[String],
    identifiers: &BTreeSet<(String, String)>,
) -> Option<Caution> {
    let theirs: BTreeSet<(String, String)> = known.identifiers.iter().cloned().collect();
    if theirs.is_empty() {
        return None;
    }
    let likeness = likeness(words, &known.words);
    let same = match likeness {
        // Whom all given identifiers name is the same patient.
        None => !identifiers.is_empty() && identifiers.is_subset(&theirs),
        Some(_) => agree(identifiers, &theirs),
    };
    let known = Patient {
        identifiers: known
            .identifiers
            .into_iter()
            .map(|(system, value)| PatientIdentifier { system, value })
            .collect(),
        name: known.name,
        encounter: String::new(),
    };
    match (likeness, same) {
        (Some(likeness), false) => Some(Caution::SimilarPatient {
            known,
            same_name: likeness == Likeness::Same,
        }),
        // A name that is missing on either side contradicts nothing.
        (None, true) if !words.is_empty() && !known.name.is_empty() => {
            Some(Caution::OtherName { known })
        }
        _ => None,
    }
}

/// Whether identifiers speak of one patient: some are the same, and none of the same kind differ.
fn agree(one: &BTreeSet<(String, String)>, other: &BTreeSet<(String, String)>) -> bool {
    let values = |set: &BTreeSet<(String, String)>| {
        let mut values: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (system, value) in set {
            values
                .entry(system.clone())
                .or_default()
                .insert(value.clone());
        }
        values
    };
    let (one, other) = (values(one), values(other));
    let mut shared = one
        .iter()
        .filter_map(|(system, values)| Some((values, other.get(system)?)))
        .peekable();
    shared.peek().is_some() && shared.all(|(ours, theirs)| !ours.is_disjoint(theirs))
}

/// How alike two names are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Likeness {
    Same,
    Similar,
}

/// Names are lists of words in alphabetical order, without case and accents.
fn likeness(one: &[String], other: &[String]) -> Option<Likeness> {
    if one.is_empty() || other.is_empty() {
        return None;
    }
    if one == other {
        return Some(Likeness::Same);
    }
    let (one, other) = (bounded(one), bounded(other));
    let (fewer, more) = if one.len() <= other.len() {
        (one, other)
    } else {
        (other, one)
    };
    let similar = shortened(&fewer, &more) || divided(&fewer, &more) || misspelt(&fewer, &more);
    similar.then_some(Likeness::Similar)
}

/// A name as long as names are: what others write must not make the comparison long.
fn bounded(words: &[String]) -> Vec<String> {
    let bounded = |word: &String| word.chars().take(MOST_LETTERS).collect();
    words.iter().take(MOST_WORDS).map(bounded).collect()
}

/// Whether one of the words is written as two.
fn divided(fewer: &[String], more: &[String]) -> bool {
    let missing = fewer.iter().find(|word| !more.contains(word));
    let mut left: Vec<&String> = more.iter().filter(|word| !fewer.contains(word)).collect();
    let (Some(missing), Some(second), Some(first)) = (missing, left.pop(), left.pop()) else {
        return false;
    };
    fewer.len() + 1 == more.len()
        && left.is_empty()
        && (*missing == format!("{first}{second}") || *missing == format!("{second}{first}"))
}

/// Whether each of at least two words is one of the longer name's, some perhaps only by its first letter, but not all.
fn shortened(fewer: &[String], more: &[String]) -> bool {
    let mut left: Vec<&String> = more.iter().collect();
    let mut whole = 0_usize;
    // Whole words first, so that an initial does not take another word's place.
    for (wanted_whole, word) in [true, false]
        .into_iter()
        .flat_map(|whole| fewer.iter().map(move |word| (whole, word)))
    {
        if wanted_whole != more.contains(word) {
            continue;
        }
        let place = left.iter().position(|other| {
            if wanted_whole {
                *other == word
            } else {
                is_initial(word, other) || is_initial(other, word)
            }
        });
        match place {
            Some(place) => {
                left.swap_remove(place);
                whole += usize::from(wanted_whole && word.chars().count() > 1);
            }
            None => return false,
        }
    }
    fewer.len() >= 2 && whole > 0
}

fn is_initial(short: &str, long: &str) -> bool {
    let mut letters = short.chars();
    letters.next().is_some_and(|first| long.starts_with(first)) && letters.next().is_none()
}

/// Whether a slip or two of the pen lie between the names: a letter that is missing, more, another, or two in the wrong
/// order.
fn misspelt(one: &[String], other: &[String]) -> bool {
    let letters = |name: &[String]| name.iter().map(|word| word.chars().count()).sum::<usize>();
    let (ours, theirs) = (letters(one), letters(other));
    let allowed = if ours.min(theirs) < LONG_NAME { 1 } else { 2 };
    one.len() == other.len()
        && ours.abs_diff(theirs) <= allowed
        && word_by_word(one, other) <= allowed
}

/// A slip at the beginning of a word may put it elsewhere in the alphabet: each word is held against the nearest one left.
fn word_by_word(one: &[String], other: &[String]) -> usize {
    let mut left: Vec<&String> = other.iter().collect();
    let mut sum = 0_usize;
    for word in one {
        let distances = left
            .iter()
            .map(|other| strsim::osa_distance(word, other))
            .enumerate();
        if let Some((place, distance)) = distances.min_by_key(|(_, distance)| *distance) {
            left.swap_remove(place);
            sum = sum.saturating_add(distance);
        }
    }
    sum
}

/// From so many letters on, two slips are allowed.
const LONG_NAME: usize = 8;
const MOST_WORDS: usize = 12;
const MOST_LETTERS: usize = 40;
/// More are no help to whoever has to decide.
const MOST_PATIENTS: usize = 10;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use super::*;

    /// As the index folds names that have no accents.
    fn words(name: &str) -> Vec<String> {
        let mut words: Vec<String> = name.to_lowercase().split(' ').map(str::to_owned).collect();
        words.retain(|word| !word.is_empty());
        words.sort();
        words
    }

    fn of(one: &str, other: &str) -> Option<Likeness> {
        let found = likeness(&words(one), &words(other));
        assert_eq!(found, likeness(&words(other), &words(one)), "{one} {other}");
        found
    }

    #[test]
    fn names_that_people_confuse_are_told() {
        for (one, other) in [
            ("Maria Garcia", "Garcia MARIA"),
            ("Anna Maria Li", "li anna maria"),
        ] {
            assert_eq!(of(one, other), Some(Likeness::Same), "{one} {other}");
        }
        for (one, other) in [
            ("Maria Garcia", "Mario Garcia"),
            ("Maria Garcia", "Naria Garcia"),
            ("Adam Bell", "Edam Bell"),
            ("Maria Garcia", "Maria Garcia Lopez"),
            ("J Smith", "John Smith"),
            ("Smith J", "Smith Jane"),
            ("Jon Smith", "John Smyth"),
            ("Mac Donald Ian", "Macdonald Ian"),
            ("Brian Clark", "Brain Clark"),
        ] {
            assert_eq!(of(one, other), Some(Likeness::Similar), "{one} {other}");
        }
    }

    #[test]
    fn names_that_nobody_confuses_are_not() {
        for (one, other) in [
            ("Maria Garcia", "John Smith"),
            ("Maria Garcia", "Maria Lopez"),
            ("Smith", "John Smith"),
            ("J S", "John Smith"),
            ("J Smith", "Peter Smith"),
            ("Li", "Wu"),
            ("", "John Smith"),
            ("", ""),
        ] {
            assert_eq!(of(one, other), None, "{one} {other}");
        }
    }

    #[test]
    fn a_name_that_is_no_name_costs_nothing() {
        let long = vec!["x".repeat(700_000)];
        let other = vec!["y".repeat(700_000)];
        assert_eq!(likeness(&long, &other), None);
        let many: Vec<String> = (0..100_000).map(|n| format!("{n:06}")).collect();
        assert_eq!(likeness(&many, &words("Maria Garcia")), None);
    }

    fn ids(ids: &[(&str, &str)]) -> Vec<(String, String)> {
        ids.iter()
            .map(|(system, value)| ((*system).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn one_patient_is_told_from_another_by_kinds_of_identifiers() {
        let of = |one: &[(&str, &str)], other: &[(&str, &str)]| {
            let (one, other) = (tidy(&ids(one)), tidy(&ids(other)));
            assert_eq!(agree(&one, &other), agree(&other, &one));
            agree(&one, &other)
        };
        let (mrn, birth) = (("mrn", "1"), ("birth", "1960"));
        assert!(of(&[mrn, birth], &[mrn, birth]));
        assert!(of(&[mrn], &[mrn, birth]), "less is said, nothing else");
        assert!(of(&[mrn, ("mrn", "2")], &[mrn]), "a merged record");
        assert!(
            !of(&[mrn, birth], &[("mrn", "2"), birth]),
            "born on one day"
        );
        assert!(!of(&[mrn, birth], &[mrn, ("birth", "1961")]), "a slip");
        assert!(!of(&[mrn], &[birth]), "nothing in common");
        assert!(!of(&[], &[mrn]));
    }
}
