//! Every dependency of ours has its row, with its reason, in `docs/src/dependencies.md`, and no row outlives its
//! dependency.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde_json::Value;

use super::Source;

pub(super) fn check(sources: &[Source], metadata: &Value) -> Result<Vec<String>> {
    let page = sources
        .iter()
        .find(|source| source.path == PAGE)
        .with_context(|| format!("{PAGE} is missing"))?;
    let (used, listed) = (used(metadata)?, listed(&page.text));
    let missing = used
        .difference(&listed)
        .map(|name| format!("{PAGE}: no row says why we use {name}"));
    let left = listed
        .difference(&used)
        .map(|name| format!("{PAGE}: {name} is listed, but nothing uses it"));
    Ok(missing.chain(left).collect())
}

/// What the crates of the workspace name in their manifests, each other excepted.
fn used(metadata: &Value) -> Result<BTreeSet<String>> {
    let packages = metadata["packages"]
        .as_array()
        .context("cargo metadata lists no packages")?;
    let dependencies = packages
        .iter()
        .filter_map(|package| package["dependencies"].as_array())
        .flatten();
    let foreign = dependencies.filter(|dependency| dependency["path"].is_null());
    Ok(foreign
        .filter_map(|dependency| dependency["name"].as_str())
        .map(str::to_owned)
        .collect())
}

/// The first cell of each table row that names a crate.
fn listed(page: &str) -> BTreeSet<String> {
    let cells = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
    cells.map(|(name, _)| name.to_owned()).collect()
}

const PAGE: &str = "docs/src/dependencies.md";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{PAGE, Source, check};

    #[test]
    fn a_missing_row_and_a_left_over_row_are_named() {
        let text =
            "| crate | why |\n|---|---|\n| `used` | because |\n| `gone` | once |\n".to_owned();
        let page = [Source {
            path: PAGE.to_owned(),
            text,
        }];
        let metadata = json!({"packages": [{"dependencies": [
            {"name": "used", "path": null}, {"name": "new", "path": null}, {"name": "ours", "path": "/org"},
        ]}]});
        let found = check(&page, &metadata).unwrap();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found[0].contains("new") && found[1].contains("gone"),
            "{found:?}"
        );
    }
}
