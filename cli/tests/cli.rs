//! The binary as an operator starts it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use tempfile::TempDir;

#[test]
fn relay_says_where_it_listens_serves_and_ends_on_a_signal() {
    for signal in ["TERM", "INT"] {
        let folder = hospital();
        let (mut relay, line) = start(folder.path());
        assert!(line.ends_with("as localhost, serving mercy\n"), "{line}");
        assert_eq!(get(&line, "/healthz"), "ok\n");
        assert_eq!(get(&line, "/readyz"), "ready\n");
        assert!(get(&line, "/metrics").ends_with("# EOF\n"));

        kill(&relay, signal);
        assert_eq!(relay.wait().unwrap().code(), Some(0));
        // What it left can be opened again.
        let (mut relay, _) = start(folder.path());
        kill(&relay, signal);
        assert_eq!(relay.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn taken_address_is_named() {
    let folder = hospital();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = relay(folder.path(), &["--listen", &address]);
    assert_failure(&output, 3, &address);
}

#[test]
fn folder_that_cannot_be_used_is_named() {
    let folder = hospital();
    fs::write(folder.path().join("data"), "a file").unwrap();
    let output = relay(folder.path(), &[]);
    assert_failure(&output, 4, "data");
}

#[test]
fn folder_in_use_is_not_used_twice() {
    let folder = hospital();
    let (mut first, _) = start(folder.path());
    let second = relay(folder.path(), &["--listen", "127.0.0.1:0"]);
    assert_failure(&second, 4, "another relay");
    kill(&first, "TERM");
    first.wait().unwrap();
}

#[test]
fn data_of_a_newer_version_is_left_alone() {
    let folder = hospital();
    let (mut first, _) = start(folder.path());
    kill(&first, "TERM");
    first.wait().unwrap();
    let file = folder.path().join("data/relay.db");
    let mut bytes = fs::read(&file).unwrap();
    // The user version stands at offset 60 of a SQLite file.
    bytes[60..64].copy_from_slice(&99_u32.to_be_bytes());
    fs::write(&file, &bytes).unwrap();
    let output = relay(folder.path(), &[]);
    assert_failure(&output, 5, "newer");
    assert_eq!(fs::read(&file).unwrap(), bytes);
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let folder = hospital();
    let bad = folder.path().join("bad");
    fs::write(&bad, "not a root document").unwrap();
    let bad = bad.to_str().unwrap();
    assert_failure(&relay(folder.path(), &["--root", bad]), 6, bad);
    assert_failure(
        &relay(folder.path(), &["--root", "/no/such"]),
        6,
        "/no/such",
    );
    let tls = ["--tls-cert", bad, "--tls-key", bad];
    assert_failure(&relay(folder.path(), &tls), 6, "certificate");
}

#[test]
fn push_gateway_that_cannot_be_used_is_named() {
    let folder = hospital();
    let plain = ["--push-gateway", "http://push.example/wake"];
    assert_failure(&relay(folder.path(), &plain), 6, "push gateway");
    let good = "https://push.example/wake";
    let missing = ["--push-gateway", good, "--push-bearer", "/no/such"];
    assert_failure(&relay(folder.path(), &missing), 6, "/no/such");
    let words = folder.path().join("bearer");
    fs::write(&words, "two words").unwrap();
    let words = [
        "--push-gateway",
        good,
        "--push-bearer",
        words.to_str().unwrap(),
    ];
    assert_failure(&relay(folder.path(), &words), 6, "token");
    let alone = ["--push-bearer", "bearer"];
    assert_failure(&relay(folder.path(), &alone), 2, "--push-gateway");
}

#[test]
fn relay_starts_with_a_push_gateway_and_the_word_from_its_file() {
    let folder = hospital();
    let word = folder.path().join("bearer");
    // As an editor leaves it.
    fs::write(&word, "word\n").unwrap();
    let mut relay = command(folder.path());
    relay
        .args(["--push-gateway", "https://push.example/wake"])
        .env("WARDLINE_PUSH_BEARER", &word);
    let (mut relay, line) = started(relay);
    assert!(line.starts_with("listening on "), "{line}");
    kill(&relay, "TERM");
    assert_eq!(relay.wait().unwrap().code(), Some(0));
}

#[test]
fn other_organizations_root_under_the_same_name_is_refused() {
    let folder = hospital();
    let (mut first, _) = start(folder.path());
    kill(&first, "TERM");
    first.wait().unwrap();
    let other = hospital();
    fs::rename(folder.path().join("data"), other.path().join("data")).unwrap();
    assert_failure(&relay(other.path(), &[]), 6, "root document 1");
}

#[test]
fn wrong_arguments_are_explained() {
    let folder = hospital();
    let output = relay(folder.path(), &["--tls-cert", "cert.pem"]);
    assert_failure(&output, 2, "--tls-key");
    let output = wardline().arg("relay").output().unwrap();
    assert_failure(&output, 2, "--data");
    let help = wardline().args(["relay", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    for part in ["Examples:", "Exit codes:", "WARDLINE_DATA", "/metrics"] {
        assert!(help.contains(part), "{part} is missing");
    }
}

#[test]
fn founding_replaces_nothing_and_keeps_keys_private() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = hospital();
    for (file, mode) in [("root.keys", 0o600), ("authority.keys", 0o600)] {
        let metadata = fs::metadata(folder.path().join(file)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, mode);
    }
    let before = fs::read(folder.path().join("root.keys")).unwrap();
    assert_failure(&found(folder.path()), 4, "root.keys");
    assert_eq!(fs::read(folder.path().join("root.keys")).unwrap(), before);
}

fn wardline() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wardline"));
    command.env_remove("WARDLINE_LOG").env("NO_COLOR", "1");
    command
}

/// A folder with an organization in it.
fn hospital() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let output = found(folder.path());
    assert!(output.status.success(), "{output:?}");
    folder
}

fn found(folder: &Path) -> Output {
    wardline()
        .args(["org", "new", "--name", "mercy", "--dir"])
        .arg(folder)
        .output()
        .unwrap()
}

fn command(folder: &Path) -> Command {
    let mut command = wardline();
    command
        .arg("relay")
        .env("WARDLINE_DATA", folder.join("data"))
        .env("WARDLINE_ROOT", folder.join("root.note"))
        .env("WARDLINE_LISTEN", "127.0.0.1:0");
    command
}

/// Starts a relay that does not start.
fn relay(folder: &Path, arguments: &[&str]) -> Output {
    command(folder).args(arguments).output().unwrap()
}

/// Starts a relay and reads the line that it prints.
fn start(folder: &Path) -> (Child, String) {
    started(command(folder))
}

fn started(mut command: Command) -> (Child, String) {
    let mut relay = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(relay.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    (relay, line)
}

fn kill(relay: &Child, signal: &str) {
    let done = Command::new("kill")
        .args([&format!("-{signal}"), &relay.id().to_string()])
        .status();
    assert!(done.unwrap().success());
}

fn get(line: &str, path: &str) -> String {
    let (_, rest) = line.split_once("http://").unwrap();
    let (address, _) = rest.split_once(' ').unwrap();
    let mut socket = TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: relay\r\nconnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

fn assert_failure(output: &Output, code: i32, names: &str) {
    let told = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{told}");
    assert!(told.contains(names), "{told}");
    assert!(!told.contains("panicked"), "{told}");
}
