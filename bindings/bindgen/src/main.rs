//! Generates the sources that the facades stand on, out of a built library.
//!
//! The generator of UniFFI in the one version that the runtime has, behind the command line that maturin
//! calls. `cargo xtask bindings` calls it too; nobody else has to.

use anyhow::Result;
use camino::Utf8PathBuf;
use clap::{Args, Parser, Subcommand, ValueEnum};
use uniffi_bindgen::bindings::{GenerateOptions, TargetLanguage, generate};

#[derive(Parser)]
#[command(name = "uniffi-bindgen", version, about = "Generates foreign sources")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Generate the sources of one or more languages
    Generate(Generate),
}

#[derive(Args)]
struct Generate {
    /// The languages
    #[arg(long, required = true)]
    language: Vec<Language>,
    /// Where the sources go
    #[arg(long)]
    out_dir: Utf8PathBuf,
    /// Only maturin says so: sources are never formatted
    #[arg(long)]
    no_format: bool,
    /// Only maturin says so: the configuration is the one of the crate
    #[arg(long)]
    config: Option<Utf8PathBuf>,
    /// Only maturin says so: it is always a library
    #[arg(long)]
    library: bool,
    /// The built library, not stripped
    source: Utf8PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Language {
    Kotlin,
    Python,
    Swift,
}

fn main() -> Result<()> {
    let Command::Generate(wanted) = Cli::parse().command;
    generate(GenerateOptions {
        languages: wanted.language.into_iter().map(Language::target).collect(),
        source: wanted.source,
        out_dir: wanted.out_dir,
        format: false,
        // Found by `cargo metadata`: `uniffi.toml` beside the manifest of the crate.
        config_override: None,
        crate_filter: None,
        metadata_no_deps: true,
    })
}

impl Language {
    fn target(self) -> TargetLanguage {
        match self {
            Self::Kotlin => TargetLanguage::Kotlin,
            Self::Python => TargetLanguage::Python,
            Self::Swift => TargetLanguage::Swift,
        }
    }
}
