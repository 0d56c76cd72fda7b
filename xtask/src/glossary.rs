//! `docs/src/errors.md`: every code, made from the library that has them all.
//!
//! What stands in it is written by `bindings/ffi/examples/glossary.rs`. Whether a code of the sources is missing
//! there is a rule of the house.

use std::fs;

use anyhow::{Context, Result, ensure};

use crate::{
    bindings::BENCH,
    command::{cargo, read, root},
    report::{Outcome, say},
};

/// Writes the page anew.
pub(crate) fn write() -> Result<Outcome> {
    fs::write(root().join(PAGE), made()?)?;
    say(format_args!("{PAGE} is written"));
    Ok(Outcome::Passed)
}

/// Whether the page is what it would be when it was written anew.
pub(crate) fn check() -> Result<Outcome> {
    let there = fs::read_to_string(root().join(PAGE)).context(PAGE)?;
    ensure!(
        there == made()?,
        "{PAGE} is not what the sources say: run `cargo xtask glossary`"
    );
    Ok(Outcome::Passed)
}

fn made() -> Result<String> {
    read(
        cargo(["run", "--quiet", "--package", "wardline-ffi"])
            .args(["--features", BENCH.features])
            .args(["--example", "glossary"]),
    )
}

const PAGE: &str = "docs/src/errors.md";
