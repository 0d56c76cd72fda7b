//! Compiles `wardline/v1/*.proto` with protox, so that nobody has to install protoc.

use std::{env, error::Error, fs, path::PathBuf};

const FILES: [&str; 6] = [
    "wardline/v1/availability.proto",
    "wardline/v1/content.proto",
    "wardline/v1/directory.proto",
    "wardline/v1/proof.proto",
    "wardline/v1/relay.proto",
    "wardline/v1/sealed.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    println!("cargo:rerun-if-changed=wardline");

    // Reflection (stock Connect clients, schema snapshots) wants the comments too.
    let mut compiler = protox::Compiler::new(["."])?;
    compiler.include_imports(true).include_source_info(true);
    let encoded = compiler.open_files(FILES)?.encode_file_descriptor_set();
    fs::write(out.join("descriptors.bin"), encoded)?;

    prost_build::Config::new()
        .out_dir(&out)
        // Keys and ciphertexts must not reach a log through a derived Debug.
        .skip_debug([
            "wardline.v1.ContentKey",
            "wardline.v1.Sealed",
            "wardline.v1.TextBody",
            "wardline.v1.Content",
            "wardline.v1.AmendBody",
            "wardline.v1.ForwardBody",
            "wardline.v1.SbarBody",
            "wardline.v1.CriticalResultBody",
            "wardline.v1.OrderBody",
            "wardline.v1.SignedContent",
            "wardline.v1.PatientContext",
            "wardline.v1.PatientIdentifier",
            "wardline.v1.AnswerBody",
            "wardline.v1.RecallBody",
            "wardline.v1.Escalation",
            "wardline.v1.HeldKey",
            "wardline.v1.EnrollRequest",
            "wardline.v1.RegisterPushRequest",
            "wardline.v1.CancelRequest",
            "wardline.v1.AdvanceRequest",
        ])
        // What the relay carries without reading: slices of the request, never copies of it.
        .bytes([
            ".wardline.v1.Submission.content",
            ".wardline.v1.SealedKey.ciphertext",
            ".wardline.v1.Envelope.content",
        ])
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
