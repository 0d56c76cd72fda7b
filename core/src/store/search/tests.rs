//! What a person finds, and what is left of what was removed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

use std::{fs, sync::Arc, sync::LazyLock};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::vault::{Argon2Params, FileKeyStore, Passphrase, ReadingKeys, Vault};

#[test]
fn words_in_any_order_and_the_beginning_of_the_last_one_are_found() {
    let found = |typed: &str| find(&WARD, typed);
    assert_eq!(found("potassium"), [3, 1]);
    assert_eq!(found("mmol potassium"), [1]);
    assert_eq!(found("potassium mm"), [1]);
    assert_eq!(found("pot"), [3, 1]);
    assert_eq!(
        found("pot mmol"),
        Vec::<i64>::new(),
        "only the last word may be unfinished"
    );
    assert_eq!(found("POTASSIUM"), [3, 1]);
    assert_eq!(found("6.8"), [1]);
    assert_eq!(found("bauer-l"), [2]);
    assert_eq!(found("p"), Vec::<i64>::new(), "one letter is a word");
    assert_eq!(found("potassium 6"), [1]);
}

#[test]
fn title_patient_and_sender_are_searched_too() {
    assert_eq!(find(&WARD, "critical result"), [1]);
    assert_eq!(find(&WARD, "MRN-4711"), [1]);
    assert_eq!(find(&WARD, "adaeze"), [2]);
    assert_eq!(
        find(&WARD, "adaeze transfer"),
        [2],
        "words may be in different places"
    );
}

#[test]
fn diacritics_make_no_difference_either_way() {
    for typed in ["Müller", "muller", "MULLER", "mu\u{308}ller", "mull"] {
        assert_eq!(find(&WARD, typed), [2], "{typed}");
    }
    assert_eq!(find(&WARD, "cafe"), [4]);
    assert_eq!(find(&WARD, "caf\u{e9}"), [4]);
}

#[test]
fn words_in_quotes_must_stand_together() {
    assert_eq!(find(&WARD, "\"blood culture\""), [4]);
    assert_eq!(find(&WARD, "blood culture"), [4, 3]);
    assert_eq!(find(&WARD, "“blood culture”"), [4]);
    assert_eq!(
        find(&WARD, "\"blood cult\""),
        Vec::<i64>::new(),
        "a closed quote is finished"
    );
    assert_eq!(
        find(&WARD, "\"blood cult"),
        [4],
        "an open one is being typed"
    );
}

#[test]
fn what_looks_like_an_operator_is_a_word() {
    assert_eq!(find(&WARD, "potassium AND"), Vec::<i64>::new());
    assert_eq!(find(&WARD, "NOT"), Vec::<i64>::new());
    for typed in [
        "text:potassium",
        "-potassium",
        "^potassium",
        "potassium*",
        "(potassium",
        "{text}",
    ] {
        find(&WARD, typed);
    }
    assert_eq!(find(&WARD, "(potassium)"), [3, 1]);
    assert_eq!(find(&WARD, "+++ potassium ---"), [3, 1]);
}

#[test]
fn nothing_to_look_for_finds_nothing() {
    for typed in ["", " ", "\"", "\"\"", "+-*/", "\0", "…", "\u{301}"] {
        assert_eq!(find(&WARD, typed), Vec::<i64>::new(), "{typed:?}");
    }
}

#[test]
fn one_conversation_can_be_searched_and_its_id_is_not_a_word() {
    let in_conversation = |typed, conversation: &[u8]| {
        let query = Query {
            text: typed,
            conversation: Some(conversation),
            before: None,
            limit: 10,
        };
        WARD.query(&query).unwrap()
    };
    assert_eq!(in_conversation("potassium", &[0xaa; 16]), [1]);
    assert_eq!(in_conversation("potassium", &[0xbb; 16]), [3]);
    assert_eq!(in_conversation("potassium", &[0xcc; 16]), Vec::<i64>::new());
    assert_eq!(find(&WARD, "aaaa"), Vec::<i64>::new());
}

#[test]
fn pages_are_newest_first_and_miss_none() {
    let home = Home::new();
    let index = home.open();
    for batch in (1..=250_i64).collect::<Vec<_>>().chunks(100) {
        let documents: Vec<_> = batch
            .iter()
            .map(|n| document(*n, "round at seven"))
            .collect();
        index.index(&documents, *batch.last().unwrap()).unwrap();
    }
    let mut seen = Vec::new();
    loop {
        let before = seen.last().copied();
        let query = Query {
            before,
            ..query("round", 40)
        };
        let page = index.query(&query).unwrap();
        if page.is_empty() {
            break;
        }
        seen.extend(page);
        // What arrives meanwhile does not shift the pages.
        let sequence = 250 + i64::try_from(seen.len()).unwrap();
        index
            .index(&[document(sequence, "round")], sequence)
            .unwrap();
    }
    assert_eq!(seen, (1..=250).rev().collect::<Vec<_>>());
}

#[test]
fn the_watermark_outlives_a_restart_and_never_goes_back() {
    let home = Home::new();
    assert_eq!(home.open().watermark().unwrap(), 0);
    home.open().index(&[document(7, "first")], 9).unwrap();
    let index = home.open();
    assert_eq!(index.watermark().unwrap(), 9);
    index.index(&[document(3, "late")], 3).unwrap();
    assert_eq!(index.watermark().unwrap(), 9);
    assert_eq!(find(&index, "late"), [3]);
    index.index(&[], 12).unwrap();
    assert_eq!(index.watermark().unwrap(), 12);
}

#[test]
fn an_amended_message_is_found_by_its_new_words_only() {
    let home = Home::new();
    let index = home.open();
    index
        .index(&[document(1, "give 10 mg"), document(2, "give 5 mg")], 2)
        .unwrap();
    index.index(&[document(1, "give 1 mg")], 2).unwrap();
    assert_eq!(find(&index, "10"), Vec::<i64>::new());
    assert_eq!(find(&index, "give mg"), [2, 1]);
}

#[test]
fn a_message_and_its_correction_may_come_in_one_batch() {
    let home = Home::new();
    let index = home.open();
    let batch = [document(1, "6.5"), document(2, "other"), document(1, "5.6")];
    index.index(&batch, 3).unwrap();
    assert_eq!(find(&index, "6.5"), Vec::<i64>::new());
    assert_eq!(find(&index, "5.6"), [1]);
    assert_eq!(find(&index, "other"), [2]);
}

#[test]
fn a_batch_is_indexed_whole_or_not_at_all() {
    let home = Home::new();
    let index = home.open();
    // The same sequence twice is taken as an amendment; a failure in the middle needs a real one.
    index
        .with(|connection| {
            connection.execute_batch(
                "CREATE TRIGGER refuse BEFORE UPDATE ON progress BEGIN SELECT RAISE(ABORT, 'no'); END",
            )
        })
        .unwrap();
    index.index(&[document(1, "lost")], 1).unwrap_err();
    assert_eq!(find(&index, "lost"), Vec::<i64>::new());
    assert_eq!(index.watermark().unwrap(), 0);
}

#[test]
fn without_the_key_the_file_shows_nothing() {
    let home = Home::new();
    let index = home.open();
    index.index(&[document(1, "methotrexate")], 1).unwrap();
    index.remove(&[]).unwrap(); // brings the log into the file
    drop(index);
    let bytes = fs::read(home.path()).unwrap();
    assert!(
        bytes.starts_with(b"SQLite format 3\0"),
        "an iOS container recognizes it"
    );
    assert!(!contains(&bytes, b"methotrexate"));
    assert!(
        !contains(&bytes, b"document"),
        "nor the names of its tables"
    );
}

#[test]
fn a_file_that_cannot_be_used_is_built_again() {
    let usable = |home: &Home| {
        let index = home.open();
        assert_eq!(index.watermark().unwrap(), 0);
        index.index(&[document(1, "anew")], 1).unwrap();
        assert_eq!(find(&index, "anew"), [1]);
    };
    let filled = || {
        let home = Home::new();
        let index = home.open();
        index.index(&[document(1, "before")], 1).unwrap();
        index.remove(&[]).unwrap();
        home
    };

    let home = filled();
    fs::remove_file(home.path()).unwrap();
    usable(&home);
    for garbage in [
        &b""[..],
        b"x",
        &[7; 100],
        &[7; 5000],
        b"SQLite format 3\0 and so on",
    ] {
        let home = filled();
        fs::write(home.path(), garbage).unwrap();
        usable(&home);
    }
    // Another key, as after enrolling again.
    let home = filled();
    let other = Home::new();
    fs::copy(home.path(), other.path()).unwrap();
    usable(&other);
    // Not encrypted at all.
    let home = Home::new();
    rusqlite::Connection::open(home.path())
        .unwrap()
        .execute_batch("CREATE TABLE t (x)")
        .unwrap();
    usable(&home);
    // Another version's tables.
    let home = filled();
    home.open()
        .with(|connection| connection.pragma_update(None, "user_version", 99))
        .unwrap();
    usable(&home);
}

#[test]
fn damage_found_later_is_told_and_cured_by_opening_again() {
    let home = Home::new();
    let index = home.open();
    let words: Vec<_> = (0..400)
        .map(|n| format!("word{n} lorem ipsum dolor"))
        .collect();
    let documents: Vec<_> = (1..)
        .zip(&words)
        .map(|(n, text)| document(n, text))
        .collect();
    index.index(&documents, 400).unwrap();
    index.remove(&[]).unwrap();
    drop(index);
    let mut bytes = fs::read(home.path()).unwrap();
    for byte in &mut bytes[8192..] {
        *byte ^= 0x55;
    }
    fs::write(home.path(), bytes).unwrap();

    let index = home.open();
    let error = index.query(&query("lorem", 10)).unwrap_err();
    assert_eq!(error.code(), "WL-SEARCH-DAMAGED");
    assert!(error.retryable());
    assert!(matches!(index.watermark(), Err(SearchError::Damaged)));
    assert!(!home.path().exists());
    let index = home.open();
    assert_eq!(index.watermark().unwrap(), 0);
    index.index(&documents, 400).unwrap();
    assert_eq!(find(&index, "word17 lorem"), [18]);
}

/// The same tables on a file without encryption, so that every byte of it can be looked at: pages in
/// use, free pages, the slack inside them, and the log.
#[test]
fn a_removed_message_leaves_no_word_anywhere_in_the_file() {
    let home = Home::new();
    let connection = rusqlite::Connection::open(home.path()).unwrap();
    file::prepare(&connection).unwrap();
    let index = SearchIndex::over(home.path(), connection);
    fill(&index);
    let everything = || [home.bytes(""), home.bytes("-wal")].concat();
    for canary in CANARIES {
        assert!(
            contains(&everything(), canary.as_bytes()),
            "the scan finds what is there"
        );
    }

    index.remove(&[250, 777]).unwrap();
    index.index(&[document(500, "amended")], 1000).unwrap();
    for canary in CANARIES {
        assert!(!contains(&everything(), canary.as_bytes()), "{canary}");
        // Words are kept without what they share with the one before.
        assert!(
            !contains(&everything(), &canary.as_bytes()[2..]),
            "{canary}, in part"
        );
    }
    // What was not removed is still found.
    assert_eq!(find(&index, "patient 249"), [249]);
    assert_eq!(find(&index, "amended"), [500]);
    assert_eq!(index.query(&query("stable", 2000)).unwrap().len(), 997);
}

/// As the scan of the real file sees it: opened with the key, every value of every table.
#[test]
fn a_scan_with_the_key_finds_nothing_of_what_was_removed() {
    let home = Home::new();
    let index = home.open();
    fill(&index);
    index.remove(&[250, 777, 500]).unwrap();
    assert_eq!(home.bytes("-wal").len(), 0, "the log is empty");
    drop(index);
    let connection = file::open(&home.path(), home.keys.search()).unwrap();
    let mut tables = connection
        .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'document'")
        .unwrap();
    let tables: Vec<String> = tables
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert!(tables.len() >= 5, "{tables:?}");
    for table in tables {
        let mut rows = connection
            .prepare(&format!("SELECT * FROM {table}"))
            .unwrap();
        let columns = rows.column_count();
        let mut rows = rows.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            for column in 0..columns {
                let value = row.get_ref(column).unwrap();
                let (rusqlite::types::ValueRef::Text(bytes)
                | rusqlite::types::ValueRef::Blob(bytes)) = value
                else {
                    continue;
                };
                for canary in CANARIES {
                    assert!(
                        !contains(bytes, &canary.as_bytes()[2..]),
                        "{canary} in {table}"
                    );
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn whatever_is_typed_is_never_an_error(typed: String, extra in "[\"'*^:(){}+, \u{0}A-Za-z-]{0,40}") {
        for typed in [&typed, &extra, &format!("{typed}{extra}"), &format!("{extra}{typed}")] {
            WARD.query(&query(typed, 10)).unwrap();
            let query = Query { conversation: Some(&[0xaa; 16]), ..query(typed, 10) };
            WARD.query(&query).unwrap();
        }
    }

    #[test]
    fn a_word_is_found_by_each_of_its_beginnings(
        words in prop::collection::vec("[a-z0-9]{1,12}", 1..6),
        at in any::<prop::sample::Index>(),
        length in any::<prop::sample::Index>(),
    ) {
        let home = &*SCRATCH;
        let text = words.join(" ");
        home.index(&[document(1, &text)], 1).unwrap();
        let word = at.get(&words);
        let beginning = match length.index(word.len()) {
            0 => word,
            last => &word[..=last],
        };
        prop_assert_eq!(find(home, beginning), [1]);
        prop_assert_eq!(find(home, &format!("{} {beginning}", words[0])), [1]);
    }
}

#[test]
fn a_very_long_query_is_answered() {
    for typed in [
        "a ".repeat(10_000),
        "a".repeat(10_000),
        "a-".repeat(10_000),
        "\"a".repeat(10_000),
    ] {
        WARD.query(&query(&typed, 10)).unwrap();
    }
}

pub(super) struct Home {
    dir: TempDir,
    keys: ReadingKeys,
}

impl Home {
    pub(super) fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let key_store = Arc::new(FileKeyStore::open(dir.path().join("keys")).unwrap());
        let vault = Vault::at(dir.path(), key_store).accept_weak_parameters();
        let passphrase = Passphrase::new("correct horse").unwrap();
        let (_, keys) = vault
            .create(&passphrase, Argon2Params::weak_for_tests())
            .unwrap();
        Self { dir, keys }
    }

    pub(super) fn open(&self) -> SearchIndex {
        SearchIndex::open(self.dir.path(), self.keys.search()).unwrap()
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join(FILE)
    }

    fn bytes(&self, suffix: &str) -> Vec<u8> {
        fs::read(self.dir.path().join(format!("{FILE}{suffix}"))).unwrap_or_default()
    }
}

/// A thousand messages, three of which hold a canary.
fn fill(index: &SearchIndex) {
    let text = |n: i64| match n {
        250 => format!("patient {n} {}", CANARIES[0]),
        500 => format!("patient {n} {} stable", CANARIES[1]),
        777 => format!("{} patient {n}", CANARIES[2]),
        _ => format!("patient {n} stable, next round at {}", n % 24),
    };
    let texts: Vec<_> = (1..=1000).map(text).collect();
    for (batch, texts) in texts.chunks(100).enumerate() {
        let first = i64::try_from(batch * 100 + 1).unwrap();
        let documents: Vec<_> = (first..)
            .zip(texts)
            .map(|(n, text)| document(n, text))
            .collect();
        index.index(&documents, first + 99).unwrap();
    }
}

pub(super) fn document(sequence: i64, text: &str) -> Document<'_> {
    Document {
        sequence,
        conversation: &[0xaa; 16],
        text,
        title: "",
        patient: "",
        sender: "",
        facets: Facets {
            priority: 1,
            created_at: sequence,
            about: None,
        },
    }
}

fn query(text: &str, limit: u32) -> Query<'_> {
    Query {
        text,
        conversation: None,
        before: None,
        limit,
    }
}

fn find(index: &SearchIndex, typed: &str) -> Vec<i64> {
    index.query(&query(typed, 10)).unwrap()
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

static WARD: LazyLock<SearchIndex> = LazyLock::new(|| {
    let home = Home::new();
    let index = home.open();
    let documents = [
        Document {
            title: "Critical result",
            patient: "MRN-4711 Okafor",
            ..document(1, "Potassium 6.8 mmol/l, please confirm")
        },
        Document {
            sender: "Dr. Adaeze Nwosu",
            ..document(2, "Transfer of Frau Müller, Bauer-Linden ward")
        },
        Document {
            conversation: &[0xbb; 16],
            ..document(3, "culture pending, blood drawn, potassium stable")
        },
        Document {
            conversation: &[0xbb; 16],
            ..document(4, "Blood culture taken in the café")
        },
    ];
    index.index(&documents, 4).unwrap();
    index
});

static SCRATCH: LazyLock<SearchIndex> = LazyLock::new(|| Home::new().open());

const CANARIES: [&str; 3] = ["methotrexate", "zolpidemtartrat", "hydroxychloroquin"];
