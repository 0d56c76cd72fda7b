//! Looks for planted secrets in bytes: in files, in log lines, in what types show of themselves.
//!
//! A secret is looked for as it is and in the forms in which programs show bytes: hexadecimal, and the
//! list of numbers that `Debug` makes of them.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

/// Secrets to look for. Each must be long enough to be nowhere by chance.
#[derive(Default)]
pub struct Needles {
    forms: Vec<(String, Vec<u8>)>,
}

impl Needles {
    /// Plants a secret: from now on it is looked for. Answers it.
    ///
    /// # Panics
    /// When it is so short that chance would find it.
    pub fn plant(&mut self, secret: &str) -> String {
        assert!(secret.len() >= SHORTEST, "{secret} is too short");
        for (form, bytes) in forms(secret) {
            self.forms.push((format!("{secret} ({form})"), bytes));
        }
        secret.to_owned()
    }

    /// Which secrets are in these bytes, and in which form.
    pub fn found_in(&self, bytes: &[u8]) -> Vec<&str> {
        let found = self.forms.iter().filter(|(_, form)| contains(bytes, form));
        found.map(|(name, _)| name.as_str()).collect()
    }

    /// Which secrets are in the files below a folder, by file.
    pub fn found_below(&self, folder: &Path) -> BTreeMap<PathBuf, Vec<&str>> {
        let mut found = BTreeMap::new();
        for (path, bytes) in files(folder) {
            let here = self.found_in(&bytes);
            if !here.is_empty() {
                found.insert(path, here);
            }
        }
        found
    }

    /// Every form of every secret, for a control: whoever looks in this must find them all.
    pub fn control(&self) -> Vec<u8> {
        let forms: Vec<&[u8]> = self.forms.iter().map(|(_, form)| form.as_slice()).collect();
        forms.join(&b"\n"[..])
    }

    /// In how many forms there is something to look for.
    pub fn len(&self) -> usize {
        self.forms.len()
    }

    /// Whether nothing was planted.
    pub fn is_empty(&self) -> bool {
        self.forms.is_empty()
    }
}

/// Every file below a folder with its bytes.
///
/// # Panics
/// When one cannot be read, other than because it is gone.
pub fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            match fs::read(&path) {
                Ok(bytes) => drop(found.insert(path, bytes)),
                // A database removes its log when it is done with it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => panic!("{}: {error}", path.display()),
            }
        }
    }
    found
}

/// Bytes out of their hexadecimal digits, as [`wardline::testing::rows`] shows them.
///
/// # Panics
/// When there are other letters.
pub fn unhex(digits: &str) -> Vec<u8> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.as_bytes().chunks(2).map(byte).collect()
}

fn forms(secret: &str) -> Vec<(&'static str, Vec<u8>)> {
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let list: Vec<String> = secret.bytes().map(|byte| byte.to_string()).collect();
    vec![
        ("as it is", secret.as_bytes().to_vec()),
        ("upper case hexadecimal", hex.to_uppercase().into_bytes()),
        ("hexadecimal", hex.into_bytes()),
        ("a list of numbers", list.join(", ").into_bytes()),
    ]
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    let Some(first) = wanted.first() else {
        return false;
    };
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        rest = &rest[at..];
        if rest.starts_with(wanted) {
            return true;
        }
        rest = &rest[1..];
    }
    false
}

const SHORTEST: usize = 10;
