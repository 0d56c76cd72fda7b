//! Looks for secrets in every byte on disk, in one pass over every file below a folder.
//!
//! A scan that finds nothing proves nothing unless it would have found something. So the same scan first
//! reads a file into which every secret was written, outside the folder, and must find all of them.

use std::{
    collections::{BTreeSet, HashSet},
    fs, io,
    path::Path,
};

use aho_corasick::{AhoCorasick, MatchKind};
use anyhow::{Context, Result, ensure};

/// What must not be on any disk.
#[derive(Default)]
pub(crate) struct Secrets {
    needles: BTreeSet<String>,
    /// What is too short to be told from chance, or may be known to the relay.
    left_out: BTreeSet<String>,
    public: HashSet<String>,
}

/// What a scan saw.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scan {
    /// Different texts, pieces of texts, names and identifiers that were looked for.
    pub needles: usize,
    /// How many of them the scan found in a file that holds them all; must be every one.
    pub control: usize,
    /// Names and identifiers that could not be looked for: shorter than five bytes, or the same as the
    /// name of a member of staff, which the relay may know.
    pub left_out: usize,
    /// Files that were read.
    pub files: usize,
    /// Bytes that were read.
    pub bytes: u64,
    /// Places where a needle was found; must be none.
    pub hits: usize,
}

impl Secrets {
    /// No secrets yet; these texts are public, and finding them means nothing.
    pub(crate) fn new(public: Vec<String>) -> Self {
        Self {
            public: public.into_iter().collect(),
            ..Self::default()
        }
    }

    /// A name or an identifier.
    pub(crate) fn add(&mut self, secret: &str) {
        if secret.len() < SHORTEST || self.public.contains(secret) {
            self.left_out.insert(secret.to_owned());
        } else {
            self.needles.insert(secret.to_owned());
        }
    }

    /// A text: whole, and in pieces, so that it is found where a page of a database ends in it.
    pub(crate) fn add_text(&mut self, text: &str) {
        self.needles.insert(text.to_owned());
        let letters: Vec<char> = text.chars().collect();
        for piece in letters.chunks(PIECE).filter(|piece| piece.len() == PIECE) {
            self.needles.insert(piece.iter().collect());
        }
    }

    /// Reads every file below a folder. Blocks on the disk.
    pub(crate) fn scan(&self, folder: &Path) -> Result<Scan> {
        let machine = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .build(&self.needles)?;
        let control = tempfile::tempdir()?;
        let all: Vec<&str> = self.needles.iter().map(String::as_str).collect();
        fs::write(control.path().join("control"), all.join("\n"))?;
        let mut found = HashSet::new();
        let mut scan = Scan::default();
        each_file(control.path(), &mut |bytes| {
            found.extend(
                machine
                    .find_overlapping_iter(bytes)
                    .map(|hit| hit.pattern()),
            );
        })?;
        each_file(folder, &mut |bytes| {
            scan.files += 1;
            scan.bytes += bytes.len() as u64;
            scan.hits += machine.find_overlapping_iter(bytes).count();
        })?;
        ensure!(scan.files > 0, "there was no file to look into");
        Ok(Scan {
            needles: self.needles.len(),
            control: found.len(),
            left_out: self.left_out.len(),
            ..scan
        })
    }
}

/// How much a folder holds, in bytes.
pub(crate) fn size_of(folder: &Path) -> Result<u64> {
    let mut size = 0;
    each_path(folder, &mut |path| {
        size += fs::metadata(path)?.len();
        Ok(())
    })?;
    Ok(size)
}

fn each_file(folder: &Path, look: &mut dyn FnMut(&[u8])) -> Result<()> {
    each_path(folder, &mut |path| {
        look(&fs::read(path)?);
        Ok(())
    })
}

fn each_path(folder: &Path, look: &mut dyn FnMut(&Path) -> io::Result<()>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("{}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            each_path(&path, look)?;
        } else {
            match look(&path) {
                // A database removes its log when it is done with it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                read => read.with_context(|| format!("{}", path.display()))?,
            }
        }
    }
    Ok(())
}

/// In 100 MB of random bytes, four given bytes are found by chance once in forty scans; five, once in
/// ten thousand.
const SHORTEST: usize = 5;
/// Letters of a piece.
const PIECE: usize = 32;
