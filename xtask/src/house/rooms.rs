//! Which room may import which, and which floor of `core`: the table in `docs/src/architecture.md`, as data.
//!
//! Tests and examples may import anything; they are dev-dependencies or crates of their own.

use anyhow::{Context, Result};
use serde_json::Value;

use super::Source;

/// A room of the house and the rooms it may import. Rooms that are not listed may import anything.
const ROOMS: [(&str, &[&str]); 6] = [
    ("wardline-proto", &[]),
    ("wardline-org", &["wardline-proto"]),
    ("wardline-sqlite", &[]),
    (
        "wardline",
        &["wardline-proto", "wardline-org", "wardline-sqlite"],
    ),
    (
        "wardline-relay",
        &["wardline-proto", "wardline-org", "wardline-sqlite"],
    ),
    // The relay only behind the feature `testing`; `cargo xtask features` says so.
    (
        "wardline-ffi",
        &["wardline", "wardline-org", "wardline-relay"],
    ),
];

/// The floors inside `core/src`, lowest first. A module imports from its own floor or from below.
/// `error` is on none: it gathers the errors of every room for the app.
const FLOORS: [&[&str]; 6] = [
    &["blocking", "clock", "id"],
    &["vault", "store"],
    &["directory", "session", "policy", "audit"],
    &["conversation", "message", "escalation", "attachment"],
    &["engine"],
    &["client"],
];

pub(super) fn check(sources: &[Source], metadata: &Value) -> Result<Vec<String>> {
    let mut findings = imports(metadata)?;
    findings.extend(sources.iter().flat_map(climbs));
    Ok(findings)
}

fn imports(metadata: &Value) -> Result<Vec<String>> {
    let packages = metadata["packages"]
        .as_array()
        .context("cargo metadata lists no packages")?;
    let mut findings = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let Some((_, may)) = ROOMS.iter().find(|(room, _)| *room == name) else {
            continue;
        };
        let ours = package["dependencies"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|dependency| {
                // A development dependency is marked by its kind; an ordinary one has none. A path is a room.
                dependency["kind"].is_null() && !dependency["path"].is_null()
            });
        for import in ours.filter_map(|dependency| dependency["name"].as_str()) {
            if !may.contains(&import) {
                findings.push(format!(
                    "{name} may not import {import} (see docs/src/architecture.md)"
                ));
            }
        }
    }
    Ok(findings)
}

/// Every import of a higher floor in a file of `core/src`.
fn climbs(source: &Source) -> Vec<String> {
    let Some(inside) = source.path.strip_prefix("core/src/") else {
        return Vec::new();
    };
    let module = inside
        .split('/')
        .next()
        .unwrap_or_default()
        .trim_end_matches(".rs");
    let Some(own) = floor(module) else {
        return Vec::new();
    };
    if inside.ends_with("tests.rs") || inside.contains("/tests/") {
        return Vec::new();
    }
    let code = source
        .text
        .split("#[cfg(test)]\nmod tests")
        .next()
        .unwrap_or_default();
    let mut findings = Vec::new();
    for (module, line) in crate_imports(code) {
        if floor(module).is_some_and(|other| other > own) {
            findings.push(format!(
                "{}:{line}: imports `{module}` from a floor above its own",
                source.path
            ));
        }
    }
    findings
}

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|modules| modules.contains(&module))
}

/// The top-level modules after each `crate::`, alone or in braces, with the line from 1.
fn crate_imports(code: &str) -> Vec<(&str, usize)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let before = &code[..at];
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        if before[line_start..].trim_start().starts_with("//") {
            continue;
        }
        let line = before.matches('\n').count() + 1;
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => found.extend(first_names(group).into_iter().map(|name| (name, line))),
            None => found.push((ident(rest), line)),
        }
    }
    found
}

/// The first name of each item of a brace group that is already open.
fn first_names(group: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut depth = 0;
    let mut fresh = true;
    for (at, c) in group.char_indices() {
        match c {
            '}' if depth == 0 => break,
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => fresh = true,
            c if fresh && !c.is_whitespace() => {
                names.push(ident(&group[at..]));
                fresh = false;
            }
            _ => {}
        }
    }
    names
}

fn ident(text: &str) -> &str {
    let end = text
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    &text[..end]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Source, climbs, imports};

    fn core(path: &str, text: &str) -> Vec<String> {
        climbs(&Source {
            path: format!("core/src/{path}"),
            text: text.to_owned(),
        })
    }

    #[test]
    fn a_lower_floor_that_imports_a_higher_one_is_named() {
        let found = core(
            "store/rows.rs",
            "//! [crate::engine]\nuse crate::{error::{A, B}, client::C};\n",
        );
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].starts_with("core/src/store/rows.rs:2:"),
            "{found:?}"
        );
        assert_eq!(core("vault.rs", "fn f() { crate::session::g() }").len(), 1);
    }

    #[test]
    fn lower_floors_the_own_floor_and_tests_are_free() {
        assert!(
            core(
                "engine/outbox.rs",
                "use crate::{session::S, store, engine::E};"
            )
            .is_empty()
        );
        assert!(core("store/tests.rs", "use crate::client::C;").is_empty());
        assert!(
            core(
                "store/rows.rs",
                "fn f() {}\n#[cfg(test)]\nmod tests { use crate::client::C; }"
            )
            .is_empty()
        );
        assert!(core("lib.rs", "pub use crate::client::Client;").is_empty());
    }

    #[test]
    fn a_room_that_imports_what_it_may_not_is_named() {
        let package = |name: &str, imports: serde_json::Value| json!({"packages": [{"name": name, "dependencies": imports}]});
        let relay = json!([
            {"name": "wardline-org", "kind": null, "path": "/org"},
            {"name": "wardline", "kind": null, "path": "/core"},
            {"name": "tokio", "kind": null, "path": null},
        ]);
        assert_eq!(imports(&package("wardline-relay", relay)).unwrap().len(), 1);
        let dev = json!([{"name": "wardline-relay", "kind": "dev", "path": "/relay"}]);
        assert!(imports(&package("wardline", dev)).unwrap().is_empty());
    }
}
