//! The generated Kotlin, made fit for two jars.
//!
//! The generator writes public declarations, one file for a library. Users must see none of them, so that what
//! is under the facade can change: everything becomes `internal`. And the jar for tests must not repeat what the
//! other jar has: two copies would each register themselves for callbacks, and the second would win. So it gets
//! only what its library has on top, which calls through an object of its own.
//!
//! Knows the layout of generated code, not its meaning. What it gets wrong does not compile.

use std::{collections::BTreeSet, fmt::Write as _};

use anyhow::{Context, Result, ensure};

/// The whole of a generated file, with nothing public in it.
pub(super) fn hidden(generated: &str) -> String {
    let mut hidden = String::with_capacity(generated.len());
    let mut depth = 0;
    for line in generated.lines() {
        match declared(line).filter(|_| depth == 0) {
            Some(found) => {
                let (before, after) = line.split_at(found.at);
                // What is private to the one file is used by the other.
                let after = ["public ", "private ", "internal "]
                    .iter()
                    .find_map(|word| after.strip_prefix(word))
                    .unwrap_or(after);
                hidden.extend([before, "internal ", after, "\n"]);
            }
            None => hidden.extend([line, "\n"]),
        }
        depth += nesting(line);
    }
    hidden
}

/// What `bench` declares and `shipped` does not, as a file beside the one made from `shipped`. Its native
/// functions are those of the library called `library`.
pub(super) fn difference(shipped: &str, bench: &str, library: &str) -> Result<String> {
    let known: BTreeSet<&str> = blocks(shipped).iter().map(|block| block.name).collect();
    let natives = |source| -> BTreeSet<String> { natives(source).into_keys().collect() };
    let old = natives(shipped);
    let new: BTreeSet<String> = natives(bench).difference(&old).cloned().collect();
    ensure!(
        !new.is_empty(),
        "the library for tests has nothing of its own"
    );

    let header = bench
        .split_once("// This is a helper for")
        .context("another layout")?;
    let mut out = header.0.to_owned();
    writeln!(out, "internal object TestingLib {{\n    init {{")?;
    writeln!(
        out,
        "        Native.register(TestingLib::class.java, \"{library}\")"
    )?;
    for check in checks(bench, &new) {
        writeln!(out, "        {check}")?;
    }
    writeln!(out, "    }}\n")?;
    for (name, text) in self::natives(bench) {
        if new.contains(&name) {
            out.push_str(&text);
        }
    }
    writeln!(out, "}}\n")?;
    for block in blocks(bench) {
        if !known.contains(block.name) {
            out.push_str(&redirected(block.text, &new));
        } else if let Some(class) = block.text.find(" companion object {").map(|_| block.name) {
            let added = constructors(block.text, &new);
            if !added.is_empty() {
                let body = redirected(&added, &new);
                writeln!(out, "internal object {class}ForTests {{\n{body}}}\n")?;
            }
        }
    }
    Ok(hidden(&out))
}

/// A declaration that is not inside of another.
struct Block<'a> {
    name: &'a str,
    text: &'a str,
}

fn blocks(source: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut open: Option<(&str, usize)> = None;
    let (mut depth, mut at) = (0, 0);
    let mut lines = source.split_inclusive('\n').peekable();
    while let Some(line) = lines.next() {
        if let (0, None, Some(found)) = (depth, open, declared(line)) {
            open = Some((found.name, at + found.at));
        }
        depth += nesting(line);
        at += line.len();
        // A brace on the next line still belongs to it, and so does an expression.
        let more = lines.peek().is_some_and(|next| {
            next.trim_start().starts_with(['{', '=']) || line.trim_end().ends_with('=')
        });
        if let (0, Some((name, start)), false) = (depth, open, more) {
            blocks.push(Block {
                name,
                text: &source[start..at],
            });
            open = None;
        }
    }
    blocks
}

/// Functions of a companion that call one of these native functions.
fn constructors(class: &str, natives: &BTreeSet<String>) -> String {
    let mut found = String::new();
    let mut open: Option<String> = None;
    let mut depth = 0;
    for line in class.lines() {
        if depth == 2 && open.is_none() && line.contains("fun `") {
            let start = line.find("suspend fun `").or_else(|| line.find("fun `"));
            open = Some(String::new());
            let text = open.get_or_insert_default();
            text.extend([&line[start.unwrap_or(0)..], "\n"]);
        } else if let Some(text) = &mut open {
            text.extend([line, "\n"]);
        }
        depth += nesting(line);
        if depth == 2
            && let Some(text) = open.take()
            && natives.iter().any(|native| calls(&text, native))
        {
            found.push_str(&text);
        }
    }
    found
}

fn redirected(text: &str, natives: &BTreeSet<String>) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let theirs = natives.iter().any(|native| calls(line, native));
        let line = if theirs {
            line.replace("UniffiLib.", "TestingLib.")
        } else {
            line.to_owned()
        };
        out.extend([line.as_str(), "\n"]);
    }
    out
}

/// Whether the text calls a native function: not one whose name only begins with its name.
fn calls(text: &str, native: &str) -> bool {
    text.match_indices(native).any(|(at, _)| {
        !text[at + native.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_')
    })
}

/// The native functions that are called, and those that only tell a checksum, with their declarations.
fn natives(source: &str) -> std::collections::BTreeMap<String, String> {
    let mut found = std::collections::BTreeMap::new();
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        let Some(rest) = line.trim_start().strip_prefix("external fun ") else {
            continue;
        };
        let name = rest.split('(').next().unwrap_or_default().to_owned();
        let mut text = format!("{line}\n");
        let mut depth = nesting(line);
        while depth > 0 {
            let Some(line) = lines.next() else { break };
            text.extend([line, "\n"]);
            depth += nesting(line);
        }
        found.insert(name, text);
    }
    found
}

/// What says that the library is of another version.
fn checks(source: &str, natives: &BTreeSet<String>) -> Vec<String> {
    let checks = source
        .lines()
        .filter(|line| line.trim_start().starts_with("if ((lib."));
    checks
        .filter(|line| natives.iter().any(|native| calls(line, native)))
        .map(|line| {
            let condition = line.trim().replace("lib.", "").replace(" {", "");
            format!(
                "{condition} throw RuntimeException(\"another version of the library for tests\")"
            )
        })
        .collect()
}

struct Declared<'a> {
    name: &'a str,
    /// Where its first modifier or its keyword stands.
    at: usize,
}

/// What a line declares. A comment may end and annotations may stand before it.
fn declared(line: &str) -> Option<Declared<'_>> {
    let mut rest = line.trim_start();
    rest = rest.strip_prefix("*/").unwrap_or(rest).trim_start();
    while rest.starts_with('@') {
        let end = match (rest.find('('), rest.find(' ')) {
            (Some(open), Some(space)) if open < space => rest.find(')')? + 1,
            (Some(_), None) => return None,
            (_, Some(space)) => space,
            (None, None) => return None,
        };
        rest = rest[end..].trim_start();
    }
    let at = line.len() - rest.len();
    let mut words = rest;
    loop {
        let (word, after) = words.split_once(' ')?;
        match word {
            "public" | "internal" | "private" | "open" | "abstract" | "data" | "sealed"
            | "enum" | "inline" | "suspend" | "const" => {}
            "class" | "interface" | "object" | "fun" | "typealias" | "val" => {
                let name = after.trim_start();
                let end = name
                    .find(|c: char| "(:{= ".contains(c))
                    .unwrap_or(name.len());
                return Some(Declared {
                    name: name[..end].trim(),
                    at,
                });
            }
            _ if word.starts_with("fun<") => {
                return Some(Declared { name: after, at });
            }
            _ => return None,
        }
        words = after.trim_start();
    }
}

/// By how much a line is deeper at its end.
fn nesting(line: &str) -> i32 {
    let start = line.trim_start();
    if start.starts_with("* ") || start.starts_with("/*") || start == "*" {
        return 0;
    }
    let code = line.split("//").next().unwrap_or_default();
    code.chars().fold(0, |depth, c| match c {
        '{' | '(' => depth + 1,
        '}' | ')' => depth - 1,
        _ => depth,
    })
}

#[cfg(test)]
mod tests {
    use super::{difference, hidden};

    const SHIPPED: &str = "\
package a

import b
// This is a helper for everything
internal object UniffiLib {
    external fun fn_open(`a`: Long,
    ): Long
}
/**
 * A thing (of
 */
open class Thing: Disposable
{
    companion object {
    fun `open`(): Thing { return UniffiLib.fn_open() }
    }
}
    @Throws(E::class) fun `first`(): Int { return 1 }
";

    fn bench() -> String {
        SHIPPED
            .replace("    ): Long\n}", "    ): Long\n    external fun fn_open_at(`a`: Long,\n    ): Long\n}")
            .replace("    }\n}\n", "    fun `openAt`(): Thing { return UniffiLib.fn_open_at() }\n    }\n}\nclass Clock(\n)\n")
    }

    #[test]
    fn nothing_stays_public() {
        let hidden = hidden(SHIPPED);
        assert!(hidden.contains("\ninternal open class Thing: Disposable\n{"));
        assert!(hidden.contains("    @Throws(E::class) internal fun `first`()"));
        assert!(hidden.contains("\n    fun `open`()"));
    }

    #[test]
    fn only_what_is_new_is_repeated() {
        let found = difference(SHIPPED, &bench(), "b_testing").unwrap();
        assert!(found.starts_with("package a\n\nimport b\n"));
        assert!(found.contains("Native.register(TestingLib::class.java, \"b_testing\")"));
        assert!(found.contains("external fun fn_open_at(") && !found.contains("fun fn_open("));
        assert!(found.contains(
            "object ThingForTests {\nfun `openAt`(): Thing { return TestingLib.fn_open_at() }"
        ));
        assert!(found.contains("internal class Clock(\n)\n") && !found.contains("`first`"));
        assert!(difference(SHIPPED, SHIPPED, "b_testing").is_err());
    }
}
