// Runs every committed input of a fuzz target as an ordinary test. Included by the crates that own a target.

/// Hands each file of `fuzz/corpus/<target>` to the target's body, which panics when something is wrong.
fn replay(target: &str, body: fn(&[u8])) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(target);
    let mut inputs = 0;
    for file in std::fs::read_dir(&folder).expect("every target has a corpus") {
        let path = file.expect("a readable folder").path();
        // A failing test shows what was printed last.
        println!("{}", path.display());
        body(&std::fs::read(&path).expect("a readable input"));
        inputs += 1;
    }
    assert!(inputs > 0, "no input in {}", folder.display());
}
