//! Links inside the repository's Markdown lead to a file, and to a heading of it when they name one.
//!
//! Links to the world outside are not followed: a test must not depend on somebody else's server.

use std::collections::{BTreeMap, BTreeSet};

use super::Source;

pub(super) fn check(sources: &[Source]) -> Vec<String> {
    let files: BTreeSet<&str> = sources.iter().map(|source| source.path.as_str()).collect();
    let headings: BTreeMap<&str, BTreeSet<String>> = sources
        .iter()
        .filter(|source| is_page(source))
        .map(|source| (source.path.as_str(), anchors(&source.text)))
        .collect();

    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| is_page(source)) {
        for (line, link) in links(&source.text) {
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() {
                Some(source.path.clone())
            } else {
                resolve(&source.path, path)
            };
            let found = target.filter(|target| is_there(&files, target));
            let problem = match found {
                None => "there is no such file",
                Some(page) if !has(&headings, &page, anchor) => "the page has no such heading",
                Some(_) => continue,
            };
            findings.push(format!("{}:{line}: {problem}: {link}", source.path));
        }
    }
    findings.extend(unlisted_pages(sources));
    findings
}

/// mdbook leaves a page out without a word when the summary does not name it.
fn unlisted_pages(sources: &[Source]) -> Vec<String> {
    let Some(summary) = sources.iter().find(|source| source.path == SUMMARY) else {
        return Vec::new();
    };
    let listed: BTreeSet<String> = links(&summary.text)
        .into_iter()
        .filter_map(|(_, link)| resolve(SUMMARY, link))
        .collect();
    let pages = sources
        .iter()
        .map(|source| &source.path)
        .filter(|path| path.ends_with(".md"));
    pages
        .filter(|path| path.starts_with(BOOK) && *path != SUMMARY && !listed.contains(*path))
        .map(|path| format!("{path}: not listed in {SUMMARY}"))
        .collect()
}

fn is_page(source: &Source) -> bool {
    source.path.ends_with(".md")
}

fn is_there(files: &BTreeSet<&str>, path: &str) -> bool {
    let folder = format!("{}/", path.trim_end_matches('/'));
    files.contains(path) || files.iter().any(|file| file.starts_with(&folder))
}

fn has(headings: &BTreeMap<&str, BTreeSet<String>>, page: &str, anchor: &str) -> bool {
    anchor.is_empty()
        || headings
            .get(page)
            .is_none_or(|anchors| anchors.contains(anchor))
}

/// Every inline link to inside the repository, with its line from 1. Code is not looked into.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        // What stands between back-ticks is code: every second piece.
        for piece in line.split('`').step_by(2) {
            for rest in piece.split("](").skip(1) {
                let link = rest.split([')', ' ']).next().unwrap_or_default();
                if !link.is_empty() && !link.contains("://") && !link.starts_with("mailto:") {
                    found.push((number, link));
                }
            }
        }
    }
    found
}

/// The headings as mdbook and code hosts turn them into anchors.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).filter(|(_, line)| line.starts_with('#'));
    headings
        .map(|(_, line)| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let kept = title
                .chars()
                .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

/// The lines outside fenced code, counted from 1.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(number, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        (!fenced && !fence).then_some((number + 1, line))
    })
}

/// `None` when the link climbs out of the repository.
fn resolve(page: &str, link: &str) -> Option<String> {
    let folder = page.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in link
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
    {
        if part == ".." {
            parts.pop()?;
        } else {
            parts.push(part);
        }
    }
    Some(parts.join("/"))
}

const BOOK: &str = "docs/src/";
const SUMMARY: &str = "docs/src/SUMMARY.md";

#[cfg(test)]
mod tests {
    use super::{Source, check};

    fn pages(pages: &[(&str, &str)]) -> Vec<Source> {
        let page = |(path, text): &(&str, &str)| Source {
            path: (*path).to_owned(),
            text: (*text).to_owned(),
        };
        pages.iter().map(page).collect()
    }

    #[test]
    fn links_to_files_folders_and_headings_are_followed() {
        let sources = pages(&[
            (
                "README.md",
                "[a](docs/src/a.md#two-words-here) [f](docs/) [w](https://example.org/x) [up](#top)\n# Top",
            ),
            ("docs/src/SUMMARY.md", "[a](a.md)"),
            (
                "docs/src/a.md",
                "# Two words: here\n[back](../../README.md) `[code](none.md)`\n```\n[code](none.md)\n```",
            ),
        ]);
        assert_eq!(check(&sources), Vec::<String>::new());
    }

    #[test]
    fn a_dead_link_a_dead_heading_and_an_unlisted_page_are_named() {
        let sources = pages(&[
            (
                "README.md",
                "[a](gone.md)\n[b](docs/src/a.md#gone)\n[c](../out.md)",
            ),
            ("docs/src/SUMMARY.md", "# Summary"),
            ("docs/src/a.md", "# A"),
        ]);
        let found = check(&sources);
        assert_eq!(found.len(), 4, "{found:?}");
        assert!(
            found[0].starts_with("README.md:1:") && found[1].starts_with("README.md:2:"),
            "{found:?}"
        );
        assert!(
            found[3].starts_with("docs/src/a.md: not listed"),
            "{found:?}"
        );
    }
}
