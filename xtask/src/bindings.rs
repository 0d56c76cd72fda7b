//! The foreign sources under the facades: generated from the library, and never committed.
//!
//! Every language is generated every time, with what a vendor ships and with what a QA bench gets: a name that is
//! not legal in Kotlin or Swift shows here, without a Kotlin or Swift compiler. What a shipped library must not
//! have is looked for in its bytes. The page of all errors is held against what the library says.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use crate::{
    command::{cargo, run, target},
    glossary,
    report::{Outcome, say},
};

/// What a library is built with.
#[derive(Clone, Copy)]
pub(crate) struct Build {
    pub(crate) name: &'static str,
    pub(crate) features: &'static str,
    pub(crate) has_testing: bool,
    pub(crate) profile: Profile,
}

impl Build {
    /// The same as it ships, to be measured.
    pub(crate) fn released(self) -> Self {
        let profile = Profile::Release;
        Self { profile, ..self }
    }
}

/// How fast it is, and how long building it takes.
#[derive(Clone, Copy)]
pub(crate) enum Profile {
    Dev,
    Release,
}

impl Profile {
    /// Its name, and the folder that cargo builds it in.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Dev => ("dev", "debug"),
            Self::Release => ("release", "release"),
        }
    }
}

/// Generates every language for every build, and looks what is in the builds.
pub(crate) fn check() -> Result<Outcome> {
    for build in [PHONE, BENCH] {
        let library = library(build)?;
        let bytes = fs::read(&library)?;
        for word in TESTING {
            let found = contains(&bytes, word.as_bytes());
            if found != build.has_testing {
                bail!(
                    "{} built with \"{}\": `{word}` is {}in it, and must {}be",
                    library.display(),
                    build.features,
                    if found { "" } else { "not " },
                    if found { "not " } else { "" },
                );
            }
        }
        for (language, _) in LANGUAGES {
            generate(build, &library, language)?;
        }
    }
    glossary::check()
}

/// Builds the library and keeps a copy, so that the next build does not replace it.
pub(crate) fn library(build: Build) -> Result<PathBuf> {
    let (profile, built) = build.profile.names();
    let mut command = cargo(["build", "--package", "wardline-ffi"]);
    command.args(["--profile", profile, "--features", build.features]);
    run(&mut command)?;
    let name = file_name();
    let folder = target().join("bindings").join(build.name);
    fs::create_dir_all(&folder)?;
    let copy = folder.join(&name);
    let built = target().join(built).join(&name);
    fs::copy(&built, &copy).with_context(|| format!("there is no {}", built.display()))?;
    Ok(copy)
}

/// Generates one language from a library that [`library`] built, and answers where it is.
pub(crate) fn generate(build: Build, library: &Path, language: &str) -> Result<PathBuf> {
    let (_, expected) = LANGUAGES
        .into_iter()
        .find(|(name, _)| *name == language)
        .with_context(|| format!("there is no language {language}"))?;
    let out = target().join("bindings").join(build.name).join(language);
    let mut command = cargo(["run", "--quiet", "--package", "wardline-bindgen", "--"]);
    command
        .args([
            "generate",
            "--no-format",
            "--language",
            language,
            "--out-dir",
        ])
        .args([out.as_path(), library]);
    run(&mut command)?;
    let source = out.join(expected);
    let lines = fs::read_to_string(&source)
        .with_context(|| format!("{} was not generated", source.display()))?
        .lines()
        .count();
    say(format_args!("{}: {lines} lines", source.display()));
    Ok(out)
}

/// The Kotlin that is generated from a library.
pub(crate) fn kotlin(build: Build, library: &Path) -> Result<String> {
    let [_, (language, expected), _] = LANGUAGES;
    let source = generate(build, library, language)?.join(expected);
    Ok(fs::read_to_string(source)?)
}

/// How this system calls the library.
pub(crate) fn file_name() -> String {
    use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
    format!("{DLL_PREFIX}wardline_ffi{DLL_SUFFIX}")
}

pub(crate) fn contains(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}

/// What phones ship.
pub(crate) const PHONE: Build = Build {
    name: "phone",
    features: "",
    has_testing: false,
    profile: Profile::Dev,
};
/// What tests of apps get.
pub(crate) const BENCH: Build = Build {
    name: "bench",
    features: "http,authority,testing",
    has_testing: true,
    profile: Profile::Dev,
};

const LANGUAGES: [(&str, &str); 3] = [
    ("python", "wardline_ffi.py"),
    ("kotlin", "dev/wardline/ffi/wardline_ffi.kt"),
    ("swift", "WardlineFFI.swift"),
];

/// Parts of exported symbols of the feature `testing`, and of its switches.
pub(crate) const TESTING: [&str; 5] = [
    "uniffi_wardline_ffi_fn_func_error_codes",
    "uniffi_wardline_ffi_fn_constructor_testrelay",
    "uniffi_wardline_ffi_fn_constructor_testclock",
    "uniffi_wardline_ffi_fn_method_faultytransport",
    "uniffi_wardline_ffi_fn_constructor_client_open_at",
];
