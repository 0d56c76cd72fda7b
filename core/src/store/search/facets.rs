//! What messages are found by besides their words: whose, where, how urgent, when, about which patient.
//!
//! Which patient a message is about is private, so it stands here, where nothing stands while nobody reads, and not in
//! `store.db`. The rest is repeated from there, so that one look at one file answers every filter.

use std::fmt::Write as _;

use rusqlite::{Connection, ToSql, params};

use super::patients::{self, About, Patients};

/// What is kept of a message besides its words.
#[derive(Clone, Copy)]
pub(crate) struct Facets<'a> {
    /// How urgent it is, as the wire numbers it.
    pub(crate) priority: i32,
    /// When it was written, in milliseconds.
    pub(crate) created_at: i64,
    /// Whom it is about.
    pub(crate) about: Option<About<'a>>,
}

/// What somebody asks for; everything that is given must hold.
#[derive(Clone, Copy, Default)]
pub(crate) struct Wanted<'a> {
    /// About a patient with all of these identifiers; empty: about whomever.
    pub(crate) patient: &'a [(String, String)],
    pub(crate) sender: Option<&'a str>,
    /// At least so urgent.
    pub(crate) priority: Option<i32>,
    /// One of these messages.
    pub(crate) among: Option<&'a [i64]>,
    pub(crate) conversation: Option<&'a [u8]>,
    /// Written at this time or later.
    pub(crate) since: Option<i64>,
    /// Written before.
    pub(crate) until: Option<i64>,
}

pub(super) fn put<'a>(
    connection: &Connection,
    patients: &mut Patients<'a>,
    sequence: i64,
    conversation: &[u8],
    sender: &str,
    facets: &Facets<'a>,
) -> rusqlite::Result<()> {
    let patient = match &facets.about {
        Some(about) => Some(patients.put(connection, about)?),
        None => None,
    };
    connection
        .prepare_cached(
            "INSERT INTO facet (sequence, conversation, sender, priority, created_at, patient)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            sequence,
            conversation,
            sender,
            facets.priority,
            facets.created_at,
            patient
        ])?;
    Ok(())
}

/// Takes a message out, and its patient when it was the last one about them.
pub(super) fn remove(connection: &Connection, sequence: i64) -> rusqlite::Result<()> {
    let mut delete =
        connection.prepare_cached("DELETE FROM facet WHERE sequence = ?1 RETURNING patient")?;
    let mut rows = delete.query([sequence])?;
    if let Some(row) = rows.next()?
        && let Some(patient) = row.get(0)?
    {
        // The statement is run to its end before another one sees what it did.
        drop(rows);
        patients::let_go(connection, patient)?;
    }
    Ok(())
}

/// The sequences before `before` of at most `limit` messages for which everything holds, newest first.
pub(super) fn select(
    connection: &Connection,
    wanted: &Wanted<'_>,
    expression: Option<&str>,
    before: i64,
    limit: u32,
) -> rusqlite::Result<Vec<i64>> {
    let patients = match wanted.patient {
        [] => None,
        identifiers => Some(patients::with_all(connection, identifiers)?),
    };
    let patients = patients.map(|ids| list(&ids));
    let among = wanted.among.map(list);
    let mut asked: Vec<&dyn ToSql> = vec![&before, &limit];
    let mut sql = match &expression {
        // The words lead, and each message that has them is looked up.
        Some(expression) => {
            asked.push(expression);
            "SELECT f.sequence FROM document d CROSS JOIN facet f ON f.sequence = d.rowid
             WHERE document MATCH ?3 AND d.rowid < ?1"
                .to_owned()
        }
        None => "SELECT f.sequence FROM facet f WHERE f.sequence < ?1".to_owned(),
    };
    let conditions: [(&str, Option<&dyn ToSql>); 4] = [
        ("f.sender =", wanted.sender.as_ref().map(|one| one as _)),
        (
            "f.conversation =",
            wanted.conversation.as_ref().map(|one| one as _),
        ),
        ("f.created_at >=", wanted.since.as_ref().map(|one| one as _)),
        ("f.created_at <", wanted.until.as_ref().map(|one| one as _)),
    ];
    // A patient, or what is open, is few messages among many: they lead, and a plus sign keeps SQLite from another way.
    let led = if patients.is_some() || among.is_some() {
        "+"
    } else {
        ""
    };
    for (condition, value) in conditions {
        if let Some(value) = value {
            asked.push(value);
            let _ = write!(sql, " AND {led}{condition} ?{}", asked.len());
        }
    }
    for (column, list) in [("f.patient", &patients), ("f.sequence", &among)] {
        if let Some(list) = list {
            asked.push(list);
            let _ = write!(
                sql,
                " AND {column} IN (SELECT value FROM json_each(?{}))",
                asked.len()
            );
        }
    }
    // A number of ours, in the words of the partial indexes.
    if let Some(priority) = wanted.priority {
        let _ = write!(sql, " AND f.priority >= {priority}");
    }
    let order = if expression.is_some() {
        "d.rowid"
    } else {
        "f.sequence"
    };
    let _ = write!(sql, " ORDER BY {order} DESC LIMIT ?2");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(asked.as_slice(), |row| row.get(0))?;
    rows.collect()
}

/// Numbers as SQLite's JSON reads them.
fn list(numbers: &[i64]) -> String {
    let mut list = String::from("[");
    for (place, number) in numbers.iter().enumerate() {
        let comma = if place == 0 { "" } else { "," };
        let _ = write!(list, "{comma}{number}");
    }
    list.push(']');
    list
}

pub(super) const SCHEMA: &str = "
CREATE TABLE facet (
    sequence INTEGER PRIMARY KEY,
    conversation BLOB NOT NULL,
    sender TEXT NOT NULL,
    priority INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    patient INTEGER
) STRICT;
CREATE INDEX facet_conversation ON facet (conversation);
CREATE INDEX facet_sender ON facet (sender);
CREATE INDEX facet_urgent ON facet (sequence) WHERE priority >= 2;
CREATE INDEX facet_stat ON facet (sequence) WHERE priority >= 3;
CREATE INDEX facet_created ON facet (created_at);
CREATE INDEX facet_patient ON facet (patient) WHERE patient IS NOT NULL;
";

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        reason = "a test may fail"
    )]

    use std::sync::LazyLock;

    use proptest::prelude::*;
    use rusqlite::types::ValueRef;

    use super::super::{
        Document, SearchIndex,
        tests::{Home, document},
    };
    use super::*;

    /// One of a thousand messages, whose facets follow from its number.
    struct Made {
        sequence: i64,
        conversation: [u8; 16],
        sender: String,
        priority: i32,
        created_at: i64,
        patient: usize,
        text: &'static str,
    }

    fn made(sequence: i64) -> Made {
        let n = usize::try_from(sequence).unwrap();
        Made {
            sequence,
            conversation: [u8::try_from(n % 5).unwrap(); 16],
            sender: format!("DR-{}", n % 3),
            priority: i32::try_from(n % 3).unwrap() + 1,
            // Written in another order than they came.
            created_at: (sequence * 37) % 1000,
            patient: n % 4,
            text: if n.is_multiple_of(6) {
                "potassium"
            } else {
                "sodium"
            },
        }
    }

    /// Nobody, and three who share identifiers.
    fn patients() -> [Vec<(String, String)>; 4] {
        let ids = |ids: &[(&str, &str)]| {
            let own = |(system, value): &(&str, &str)| ((*system).to_owned(), (*value).to_owned());
            ids.iter().map(own).collect()
        };
        [
            Vec::new(),
            ids(&[("mrn", "1"), ("birth", "1960")]),
            ids(&[("mrn", "2"), ("birth", "1960")]),
            ids(&[(" mrn", "1 ")]),
        ]
    }

    static THOUSAND: LazyLock<(Home, SearchIndex)> = LazyLock::new(|| {
        let home = Home::new();
        let index = home.open();
        let all: Vec<Made> = (1..=1000).map(made).collect();
        let patients = patients();
        let documents: Vec<Document<'_>> = all
            .iter()
            .map(|made| Document {
                conversation: &made.conversation,
                sender: &made.sender,
                facets: Facets {
                    priority: made.priority,
                    created_at: made.created_at,
                    about: (made.patient > 0).then(|| About {
                        name: "Maria Garcia",
                        identifiers: &patients[made.patient],
                    }),
                },
                ..document(made.sequence, made.text)
            })
            .collect();
        index.index(&documents, 1000).unwrap();
        (home, index)
    });

    fn holds(made: &Made, wanted: &Wanted<'_>, text: Option<&str>) -> bool {
        let theirs = patients::tidy(&patients()[made.patient]);
        patients::tidy(wanted.patient).is_subset(&theirs)
            && wanted.sender.is_none_or(|sender| sender == made.sender)
            && wanted.priority.is_none_or(|least| made.priority >= least)
            && wanted
                .among
                .is_none_or(|among| among.contains(&made.sequence))
            && wanted.conversation.is_none_or(|id| id == made.conversation)
            && wanted.since.is_none_or(|since| made.created_at >= since)
            && wanted.until.is_none_or(|until| made.created_at < until)
            && text.is_none_or(|text| text == made.text)
    }

    proptest! {
        #[test]
        fn every_mixture_of_filters_finds_what_holds_page_by_page(
            patient in 0_usize..5,
            sender in prop::option::of(0_usize..4),
            priority in prop::option::of(1_i32..=3),
            among in prop::option::of(prop::collection::vec(0_i64..1100, 0..300)),
            conversation in prop::option::of(0_u8..6),
            since in prop::option::of(0_i64..1000),
            until in prop::option::of(0_i64..1000),
            text in prop::option::of(prop::bool::ANY),
            size in 1_u32..40,
        ) {
            let unknown = vec![("mrn".to_owned(), "3".to_owned())];
            let patients = patients();
            let sender = sender.map(|sender| format!("DR-{sender}"));
            let conversation = conversation.map(|id| [id; 16]);
            let text = text.map(|one| if one { "potassium" } else { "sodium" });
            let wanted = Wanted {
                patient: patients.get(patient).unwrap_or(&unknown),
                sender: sender.as_deref(),
                priority,
                among: among.as_deref(),
                conversation: conversation.as_ref().map(<[u8; 16]>::as_slice),
                since,
                until,
            };
            let expected: Vec<i64> = (1..=1000)
                .rev()
                .filter(|sequence| holds(&made(*sequence), &wanted, text))
                .collect();
            let mut found = Vec::new();
            loop {
                let before = found.last().copied();
                let page = THOUSAND.1.select(&wanted, text, before, size).unwrap();
                let last = page.len() < usize::try_from(size).unwrap();
                found.extend(page);
                if last {
                    break;
                }
            }
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn of_a_patient_nothing_is_left_when_the_last_message_about_them_goes() {
        let home = Home::new();
        let index = home.open();
        let canary = "Hydroxychloroquin";
        let ids = [("urn:mrn".to_owned(), canary.to_uppercase())];
        let about = |sequence| Document {
            facets: Facets {
                priority: 1,
                created_at: 1,
                about: Some(About {
                    name: canary,
                    identifiers: &ids,
                }),
            },
            ..document(sequence, "stable")
        };
        index
            .index(&[about(1), about(2), document(3, "stable")], 3)
            .unwrap();
        let (known, words) = index.patients("  HYDROXYCHLOROQUIN ").unwrap();
        assert_eq!(known.len(), 1);
        assert_eq!(known[0].words, words);
        index.remove(&[1]).unwrap();
        assert_eq!(index.patients("").unwrap().0.len(), 1, "one is left");
        assert!(dump(&index).contains(&canary.to_lowercase()));
        index.remove(&[2]).unwrap();
        assert!(index.patients("").unwrap().0.is_empty());
        let left = dump(&index);
        assert!(left.contains("stable"), "the look itself");
        assert!(!left.contains(&canary.to_lowercase()), "{left}");
    }

    #[test]
    fn names_are_folded_without_case_accents_and_order() {
        let home = Home::new();
        let index = home.open();
        let words = |name: &str| index.patients(name).unwrap().1;
        for name in [
            "José Álvarez-Núñez",
            "NUÑEZ, ALVAREZ JOSE",
            "jose\u{301} alvarez nunez",
        ] {
            assert_eq!(words(name), ["alvarez", "jose", "nunez"], "{name}");
        }
        assert!(words(" -,;'").is_empty());
    }

    /// Every text in every table, in lower case.
    fn dump(index: &SearchIndex) -> String {
        index
            .with(|connection| {
                let tables: Vec<String> = connection
                    .prepare(
                        "SELECT name FROM sqlite_master WHERE type = 'table'
                         UNION SELECT 'temp.fold_content'",
                    )?
                    .query_map([], |row| row.get(0))?
                    .collect::<Result<_, _>>()?;
                let mut texts = String::new();
                for table in tables {
                    let mut statement = connection.prepare(&format!("SELECT * FROM {table}"))?;
                    let columns = statement.column_count();
                    let mut rows = statement.query([])?;
                    while let Some(row) = rows.next()? {
                        for column in 0..columns {
                            if let ValueRef::Text(bytes) | ValueRef::Blob(bytes) =
                                row.get_ref(column)?
                            {
                                texts.push_str(&String::from_utf8_lossy(bytes));
                            }
                        }
                    }
                }
                Ok(texts.to_lowercase())
            })
            .unwrap()
    }
}
