//! The corpus of the client's fuzz target, replayed.

use wardline_tests::fuzz::{CALLS, Device, relay_answers};

include!("../../../fuzz/replay.rs");

#[test]
fn corpora_replay() {
    replay("relay_answers", relay_answers);
}

/// The fuzzer starts from what the relay really answers. Keys and signatures differ from run to run, so the
/// committed inputs are compared by their calls only; `WARDLINE_WRITE_CORPUS=1` writes them anew.
#[test]
fn honest_answers_are_in_the_corpora() {
    let folder =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/relay_answers");
    let inputs = Device::honest_answers();
    for call in CALLS {
        let (_, input) = inputs.iter().find(|(known, _)| *known == call).unwrap();
        assert_eq!(input[1..3], 200_u16.to_be_bytes(), "{call}");
        if std::env::var_os("WARDLINE_WRITE_CORPUS").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join(call), input).unwrap();
        }
        let kept = std::fs::read(folder.join(call)).unwrap();
        assert_eq!(kept[..3], input[..3], "{call}");
    }
}
