//! Reading the line-by-line texts of root documents and heads: `name value`, in a fixed order.

use std::str::FromStr;

/// The lines of a text that are not read yet.
pub(crate) struct Lines<'a> {
    rest: &'a str,
}

impl<'a> Lines<'a> {
    /// A text whose first line is exactly `first`.
    pub(crate) fn new(text: &'a str, first: &str) -> Option<Self> {
        let rest = text.strip_prefix(first)?.strip_prefix('\n')?;
        Some(Self { rest })
    }

    /// The value of the next line, which must be called `name`.
    pub(crate) fn value(&mut self, name: &str) -> Option<&'a str> {
        let (line, rest) = self.rest.split_once('\n')?;
        let value = line.strip_prefix(name)?.strip_prefix(' ')?;
        self.rest = rest;
        Some(value)
    }

    /// The parsed value of the next line, which must be called `name`.
    pub(crate) fn parse<T: FromStr>(&mut self, name: &str) -> Option<T> {
        self.value(name)?.parse().ok()
    }

    /// Every line called `name` that follows directly.
    pub(crate) fn all<T: FromStr>(&mut self, name: &str) -> Option<Vec<T>> {
        let mut values = Vec::new();
        while let Some(value) = self.value(name) {
            values.push(value.parse().ok()?);
        }
        Some(values)
    }

    /// What is left: lines that a later version added, kept because the text is kept.
    pub(crate) fn rest(self) -> &'a str {
        self.rest
    }
}
