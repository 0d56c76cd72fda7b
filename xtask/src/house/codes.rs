//! Every error code of the sources stands in the glossary, and no other.
//!
//! A code is a string of the form `"WL-…"` in what is shipped. Not its concern: what the glossary says about it.

use std::collections::BTreeSet;

use super::Source;

pub(super) fn check(sources: &[Source]) -> Vec<String> {
    let Some(page) = sources.iter().find(|source| source.path == PAGE) else {
        return vec![format!("{PAGE} is missing: run `cargo xtask glossary`")];
    };
    let rows = page
        .text
        .lines()
        .filter_map(|line| line.strip_prefix("| `"));
    let listed: BTreeSet<&str> = rows
        .filter_map(|row| row.split('`').next())
        .filter(|word| word.starts_with("WL-"))
        .collect();
    let mut findings = Vec::new();
    let mut used = BTreeSet::new();
    for source in sources.iter().filter(|source| is_shipped(&source.path)) {
        // Tests stand at the end of a file, and invent codes.
        let code = source.text.split("#[cfg(test)]\nmod tests").next();
        for word in code
            .unwrap_or_default()
            .split('"')
            .filter(|word| is_code(word))
        {
            used.insert(word);
            if !listed.contains(word) {
                findings.push(format!("{}: {PAGE} has no {word}: {HOW}", source.path));
            }
        }
    }
    let gone = listed.difference(&used);
    findings.extend(
        gone.map(|code| format!("{PAGE}: no source has {code}: run `cargo xtask glossary`")),
    );
    findings
}

fn is_shipped(path: &str) -> bool {
    let rust = path.ends_with(".rs") && !path.contains("/tests");
    rust && FOLDERS.iter().any(|folder| path.starts_with(folder))
}

fn is_code(word: &str) -> bool {
    word.strip_prefix("WL-").is_some_and(|rest| {
        !rest.is_empty()
            && rest
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte == b'-')
    })
}

const PAGE: &str = "docs/src/errors.md";
const FOLDERS: [&str; 3] = ["core/src/", "org/src/", "bindings/ffi/src/"];
const HOW: &str = "list it in core/src/glossary.rs or bindings/ffi/src/testing/glossary.rs, then `cargo xtask glossary`";

#[cfg(test)]
mod tests {
    use super::{PAGE, Source, check};

    fn source(path: &str, text: &str) -> Source {
        Source {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn a_code_that_is_not_in_the_glossary_and_one_that_is_gone_are_found() {
        let page = source(
            PAGE,
            "| `WL-ONE` | it is one | no |\n| `WL-GONE` | it was | no |\n",
        );
        let code = source(
            "core/src/error.rs",
            "\"WL-ONE\" \"WL-TWO\" \"WL-\"\n#[cfg(test)]\nmod tests { \"WL-INVENTED\" }",
        );
        let elsewhere = source("tests/tests/it/a.rs", "\"WL-ELSEWHERE\"");
        let found = check(&[page, code, elsewhere]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("core/src/error.rs: docs/src/errors.md has no WL-TWO"));
        assert!(found[1].contains("no source has WL-GONE"));
    }

    #[test]
    fn a_glossary_that_is_missing_is_found() {
        assert_eq!(check(&[]).len(), 1);
    }
}
