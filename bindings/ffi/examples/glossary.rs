//! Prints `docs/src/errors.md`: every code, as the three languages see it. `cargo xtask glossary` keeps the page.
#![allow(clippy::print_stdout, reason = "what it prints is its purpose")]

use wardline::glossary;
use wardline_ffi::{
    Recovery, WardlineError,
    error::Domain,
    testing::{ErrorCode, error_codes},
};

fn main() {
    println!("{HEAD}");
    let codes = error_codes();
    for domain in WardlineError::DOMAINS {
        show(domain, &codes);
    }
    println!("{EVENTS}");
    for (code, words) in glossary::events() {
        println!("| `{code}` | {words} |");
    }
    println!("{LOGGED}");
    for (code, words) in glossary::logged() {
        println!("| `{code}` | {words} |");
    }
}

fn show(domain: &Domain, codes: &[ErrorCode]) {
    let codes: Vec<&ErrorCode> = codes
        .iter()
        .filter(|code| code.domain == domain.name)
        .collect();
    println!("\n## {}\n\n{}\n", heading(domain.name), domain.words.trim());
    println!("| Python | Kotlin | Swift |\n|---|---|---|");
    let mut names: Vec<_> = codes
        .iter()
        .map(|code| (&code.python, &code.kotlin, &code.swift))
        .collect();
    names.dedup();
    for (python, kotlin, swift) in names {
        println!("| `{python}` | `{kotlin}` | `{swift}` |");
    }
    if !domain.parameters.is_empty() {
        println!();
    }
    for (name, words) in domain.parameters {
        println!("- `{name}`: {}", words.trim());
    }
    println!("\n| code | what happened, and what to do | again? | what helps |\n|---|---|---|---|");
    for code in codes {
        println!(
            "| `{}` | {} | {} | {} |",
            code.code,
            code.meanings.join("; or: ").replace('|', "\\|"),
            if code.retryable { "yes" } else { "no" },
            helps(code.recovery),
        );
    }
}

/// `PassphraseRefused` as a heading.
fn heading(name: &str) -> String {
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
            words.push(letter.to_ascii_lowercase());
        } else {
            words.push(letter);
        }
    }
    words
}

fn helps(recovery: Recovery) -> &'static str {
    match recovery {
        Recovery::Retry => "retry",
        Recovery::Unlock => "unlock",
        Recovery::ChangeTheMessage => "change the message",
        Recovery::ChooseAnotherRecipient => "choose another recipient",
        Recovery::FreeSpace => "free space",
        Recovery::Enroll => "enroll",
        Recovery::UpdateTheApp => "update the app",
        Recovery::AskTheAdministrator => "ask the administrator",
        Recovery::AskTheDeveloper => "ask the developer",
    }
}

const HEAD: &str = "\
# Errors

<!-- Generated: cargo xtask glossary. -->

Every code a call can end with, as the sources list them. A code never changes its meaning. The texts are for developers: an app renders the
code in its reader's language. *Again?* says whether the same call may succeed later without anybody doing anything; *what helps* is the
`recovery` that the error carries. Codes with several causes show a text for each that this page was made from; numbers in them are examples.

A relay that is newer than the library may refuse with a code that is not here: it comes through unchanged, in the domain
[Relay](#relay), and can be tried again when its HTTP status says so. The packages for tests have a list of all of this
(Python: `wardline.testing.every_error()`; Kotlin and Swift: `Glossary.everyError()`), so that a test of yours can ask whether the app has words for every code.";
const EVENTS: &str = "
## Envelopes that did not open

Not errors of a call: the event `EnvelopeRefused` (Swift: `.envelopeRefused`) carries one of these, and says whether its sender was asked to
seal it again.

| code | what happened |
|---|---|";
const LOGGED: &str = "
## In the log only

The search index is derived: it is rebuilt at an unlock, and until then searches find less.

| code | what happened |
|---|---|";
