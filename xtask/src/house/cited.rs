//! A test that the documentation names as proof exists.
//!
//! The pages of the book name tests as `like_this_one_here`: three underscores or more make a name a test's.

use std::collections::BTreeSet;

use super::Source;

pub(super) fn check(sources: &[Source]) -> Vec<String> {
    let code: Vec<&Source> = sources
        .iter()
        .filter(|source| is_code(&source.path))
        .collect();
    let functions: BTreeSet<&str> = code
        .iter()
        .flat_map(|source| functions(&source.text))
        .collect();
    let mut findings = Vec::new();
    for page in sources
        .iter()
        .filter(|source| source.path.starts_with(BOOK) && source.path.ends_with(".md"))
    {
        for (number, line) in page.text.lines().enumerate() {
            let quoted = line.split('`').skip(1).step_by(2);
            for name in quoted.filter(|word| is_test_name(word) && !functions.contains(word)) {
                findings.push(format!(
                    "{}:{}: there is no test {name}",
                    page.path,
                    number + 1
                ));
            }
        }
    }
    findings
}

fn is_code(path: &str) -> bool {
    path.ends_with(".rs") || path.ends_with(".py")
}

fn is_test_name(word: &str) -> bool {
    let plain = word
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    plain && word.matches('_').count() >= 3
}

/// The names after `fn` and `def`.
fn functions(code: &str) -> impl Iterator<Item = &str> {
    let heads = code.lines().filter_map(|line| {
        let (_, rest) = line.split_once("fn ").or_else(|| line.split_once("def "))?;
        rest.split(['(', '<']).next()
    });
    heads.map(str::trim)
}

const BOOK: &str = "docs/src/";

#[cfg(test)]
mod tests {
    use super::{Source, check};

    fn source(path: &str, text: &str) -> Source {
        Source {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn only_tests_that_exist_may_be_named() {
        let code = source(
            "a.rs",
            "    #[tokio::test]\n    async fn a_thing_that_is_shown() {}\n",
        );
        let page = source(
            "docs/src/a.md",
            "`a_thing_that_is_shown`, `a_thing_that_is_not`, `some_field`, a_b_c_d",
        );
        let found = check(&[code, page]);
        assert_eq!(
            found,
            ["docs/src/a.md:1: there is no test a_thing_that_is_not"]
        );
    }
}
