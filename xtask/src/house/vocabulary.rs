//! Words that promise what software alone cannot keep.
//!
//! The list stands in `docs/src/hipaa.md`, on the one line where these words may stand. Case, hyphens and line
//! breaks make no difference.

use anyhow::{Context, Result, bail};

use super::Source;

pub(super) fn check(sources: &[Source]) -> Result<Vec<String>> {
    let page = sources
        .iter()
        .find(|source| source.path == LIST)
        .with_context(|| format!("{LIST} is missing"))?;
    let words = listed(&page.text)?;
    Ok(sources
        .iter()
        .flat_map(|source| find(source, &words))
        .collect())
}

/// The quoted words on the line that lists them.
fn listed(page: &str) -> Result<Vec<String>> {
    let line = page.lines().find(|line| line.starts_with(MARK));
    let line = line.with_context(|| format!("{LIST} has no line that starts with \"{MARK}\""))?;
    let words: Vec<_> = line
        .split('"')
        .skip(1)
        .step_by(2)
        .map(|word| plain(word).0)
        .collect();
    if words.is_empty() {
        bail!("the line \"{MARK}\" in {LIST} quotes no words");
    }
    Ok(words)
}

fn find(source: &Source, words: &[String]) -> Vec<String> {
    let (text, lines) = plain(&source.text);
    let mut found = Vec::new();
    for word in words {
        for (at, _) in text.match_indices(word.as_str()) {
            let line = lines.get(at).copied().unwrap_or_default();
            let own = source.path == LIST
                && source
                    .text
                    .lines()
                    .nth(line)
                    .is_some_and(|line| line.starts_with(MARK));
            if !own {
                found.push(format!(
                    "{}:{}: we never say \"{word}\" (see {LIST})",
                    source.path,
                    line + 1
                ));
            }
        }
    }
    found
}

/// Lower case, one space between words, no comment marks; and for each byte the line (from 0) it stood on.
fn plain(text: &str) -> (String, Vec<usize>) {
    let mut plain = String::new();
    let mut lines = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_start_matches(|c: char| c.is_whitespace() || "/!#*>".contains(c));
        for word in line
            .split(|c: char| c.is_whitespace() || c == '-')
            .filter(|word| !word.is_empty())
        {
            if !plain.is_empty() {
                plain.push(' ');
            }
            plain.push_str(&word.to_lowercase());
            lines.resize(plain.len(), number);
        }
    }
    (plain, lines)
}

const LIST: &str = "docs/src/hipaa.md";
const MARK: &str = "Words we never use:";

#[cfg(test)]
mod tests {
    use super::{LIST, Source, check};

    fn source(path: &str, text: &str) -> Source {
        Source {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    fn list() -> Source {
        source(
            LIST,
            "# Page\n\nWords we never use: \"solid gold\", \"fool proof\".\n",
        )
    }

    #[test]
    fn listed_words_are_found_across_case_hyphens_and_comment_lines() {
        let found = check(&[
            list(),
            source("a.md", "It is Solid-Gold."),
            source("b.rs", "//! one\n//! truly fool\n//! proof thing"),
            source("c.md", "gold that is solid"),
        ])
        .unwrap();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("a.md:1:"), "{found:?}");
        assert!(found[1].starts_with("b.rs:2:"), "{found:?}");
    }

    #[test]
    fn only_the_listing_line_may_have_them() {
        let mut page = list();
        page.text.push_str("We are solid gold.\n");
        let found = check(&[page]).unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(":4:"), "{found:?}");
    }

    #[test]
    fn a_missing_list_is_an_error() {
        assert!(check(&[source("a.md", "text")]).is_err());
        assert!(check(&[source(LIST, "text")]).is_err());
    }
}
