//! Every language shows every scenario of `tests/scenarios.md`.
//!
//! A test names what it shows in a comment above it. Whether it really does is for whoever reads the
//! test. A language counts as soon as its folder is there.

use std::collections::{BTreeMap, BTreeSet};

use super::Source;

pub(super) fn check(sources: &[Source]) -> Vec<String> {
    let Some(list) = sources.iter().find(|source| source.path == LIST) else {
        return vec![format!("{LIST}: the list of scenarios is missing")];
    };
    let wanted = ids(&list.text);
    let mut findings = Vec::new();
    for language in LANGUAGES {
        let ours = |source: &&Source| source.path.starts_with(language.folder);
        if !sources.iter().any(|source| ours(&source)) {
            continue;
        }
        let mut shown = BTreeMap::new();
        for test in sources.iter().filter(|source| language.tests(&source.path)) {
            findings.extend(read(language, test, &mut shown));
        }
        for id in &wanted {
            if !shown.contains_key(id) {
                findings.push(format!(
                    "{}: no test shows the scenario {id} of {LIST}",
                    language.folder
                ));
            }
        }
        for (id, place) in shown {
            if !wanted.contains(id) {
                findings.push(format!("{place}: there is no scenario {id} in {LIST}"));
            }
        }
    }
    findings
}

/// The ids of the table.
fn ids(list: &str) -> BTreeSet<&str> {
    let rows = list.lines().filter_map(|line| {
        let (id, _) = line.strip_prefix("| `")?.split_once('`')?;
        Some(id)
    });
    rows.collect()
}

/// Notes which scenarios the tests of a file show, and where; answers what is wrong.
fn read<'a>(
    language: &Language,
    test: &'a Source,
    shown: &mut BTreeMap<&'a str, String>,
) -> Vec<String> {
    let mut findings = Vec::new();
    let lines: Vec<&str> = test.text.lines().collect();
    for (number, line) in lines.iter().enumerate() {
        let marker = line.trim().strip_prefix(language.comment);
        let Some(named) = marker.and_then(|rest| rest.trim().strip_prefix(MARKER)) else {
            continue;
        };
        let place = format!("{}:{}", test.path, number + 1);
        let below = lines.iter().skip(number + 1).take(WITHIN);
        // A blank line ends what belongs together.
        let mut below = below.take_while(|line| !line.trim().is_empty());
        if !below.any(|line| line.contains(language.function)) {
            findings.push(format!("{place}: no test stands below this scenario"));
        }
        for id in named.split(',').map(str::trim) {
            shown.entry(id).or_insert_with(|| place.clone());
        }
    }
    findings
}

struct Language {
    folder: &'static str,
    /// Where its tests are; only files with `test` in their path count.
    test_folders: &'static [&'static str],
    ends: &'static str,
    comment: &'static str,
    function: &'static str,
}

impl Language {
    fn tests(&self, path: &str) -> bool {
        let inside = self
            .test_folders
            .iter()
            .any(|folder| path.starts_with(folder));
        inside && path.ends_with(self.ends) && path.to_lowercase().contains("test")
    }
}

const LANGUAGES: &[Language] = &[
    Language {
        folder: "tests/",
        test_folders: &["tests/tests/"],
        ends: ".rs",
        comment: "//",
        function: "fn ",
    },
    Language {
        folder: "bindings/python/",
        test_folders: &["bindings/python/tests/", "bindings/python-testing/tests/"],
        ends: ".py",
        comment: "#",
        function: "def ",
    },
    Language {
        folder: "bindings/kotlin/",
        test_folders: &["bindings/kotlin/"],
        ends: ".kt",
        comment: "//",
        function: "fun ",
    },
    Language {
        folder: "bindings/swift/",
        test_folders: &["bindings/swift/"],
        ends: ".swift",
        comment: "//",
        function: "func ",
    },
];

const LIST: &str = "tests/scenarios.md";
const MARKER: &str = "scenario:";
/// Attributes and doc comments may stand between the comment and the test.
const WITHIN: usize = 30;

#[cfg(test)]
mod tests {
    use super::{Source, check};

    fn source(path: &str, text: &str) -> Source {
        Source {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    fn list() -> Source {
        source(
            "tests/scenarios.md",
            "| id | what |\n|---|---|\n| `one` | first |\n| `two` | second |\n",
        )
    }

    #[test]
    fn a_language_that_exists_shows_every_scenario() {
        let rust = source(
            "tests/tests/it/a.rs",
            "// scenario: one, two\n#[test]\nfn both_are_shown() {}\n",
        );
        let python = source(
            "bindings/python/tests/test_a.py",
            "# scenario: one\n@pytest.mark.x\nasync def test_one():\n    pass\n",
        );
        assert_eq!(
            check(&[list(), rust, python]),
            ["bindings/python/: no test shows the scenario two of tests/scenarios.md"]
        );
    }

    #[test]
    fn a_marker_names_a_scenario_and_stands_on_a_test() {
        let rust = source(
            "tests/tests/it/a.rs",
            "// scenario: one, two\nfn both() {}\n// scenario: three\nfn other() {}\n// scenario: one\n\nfn far() {}\n",
        );
        assert_eq!(
            check(&[list(), rust]),
            [
                "tests/tests/it/a.rs:5: no test stands below this scenario",
                "tests/tests/it/a.rs:3: there is no scenario three in tests/scenarios.md",
            ]
        );
    }

    #[test]
    fn code_that_is_no_test_shows_nothing() {
        let app = source(
            "bindings/swift/Sources/App.swift",
            "// scenario: one, two\nfunc run() {}\n",
        );
        let findings = check(&[list(), app]);
        let lacking = findings
            .iter()
            .filter(|finding| finding.starts_with("bindings/swift/: no test shows"));
        assert_eq!(lacking.count(), 2);
    }
}
