#![allow(clippy::unwrap_used, reason = "a test may fail")]

use proptest::prelude::*;
use wardline_org::DeviceId;

use super::*;
use crate::store::tests_support;

const HOUR: Duration = Duration::from_secs(3600);

fn rules(max_lifetime_seconds: u32) -> Policy {
    Policy {
        max_lifetime_seconds,
        ..Policy::new("mercy".parse().unwrap())
    }
}

fn lifetime(after_sent: Option<u64>, after_read: Option<u64>) -> Lifetime {
    Lifetime {
        after_sent: after_sent.map(Duration::from_secs),
        after_read: after_read.map(Duration::from_secs),
    }
}

#[test]
fn the_shortest_lifetime_wins_and_nobody_escapes_the_limit() {
    let limit = rules(3600);
    for (said, applies) in [
        (lifetime(None, None), lifetime(Some(3600), None)),
        (lifetime(Some(60), None), lifetime(Some(60), None)),
        (lifetime(Some(9999), None), lifetime(Some(3600), None)),
        (lifetime(None, Some(60)), lifetime(Some(3600), Some(60))),
        (lifetime(None, Some(9999)), lifetime(Some(3600), None)),
    ] {
        assert_eq!(said.within(&limit), applies, "{said:?}");
        assert_eq!(said.within(&rules(0)), said, "no limit");
    }
}

#[test]
fn a_lifetime_that_nobody_could_use_is_refused() {
    for (seconds, limit, fine) in [
        (0, 0, false),
        (1, 0, true),
        (10 * 365 * 24 * 3600, 0, true),
        (10 * 365 * 24 * 3600 + 1, 0, false),
        (3600, 3600, true),
        (3601, 3600, false),
    ] {
        let rules = rules(limit);
        for lifetime in [lifetime(Some(seconds), None), lifetime(None, Some(seconds))] {
            assert_eq!(lifetime.check(&rules).is_ok(), fine, "{seconds} {limit}");
        }
    }
}

#[test]
fn a_lifetime_does_not_count_from_a_time_that_has_not_come() {
    let content = |from_ms| v1::Content {
        created_at_ms: 5_000,
        lifetime: Some(v1::Lifetime {
            from_ms,
            ..Default::default()
        }),
        ..Default::default()
    };
    let end = |from_ms| end_of(&content(from_ms), lifetime(Some(3600), None), at(9_000));
    assert_eq!(end(8_000), Some(at(8_000) + HOUR));
    assert_eq!(end(i64::MAX), Some(at(9_000) + HOUR));
    assert_eq!(end(0), Some(at(5_000) + HOUR), "who says nothing more");
}

proptest! {
    #[test]
    fn a_lifetime_is_read_as_it_was_written(
        sent in proptest::option::of(1..u64::MAX), read in proptest::option::of(1..u64::MAX), from in any::<i64>(),
    ) {
        let written = Lifetime {
            after_sent: sent.map(Duration::from_millis),
            after_read: read.map(Duration::from_millis),
        };
        let content = v1::Content { lifetime: written.to_wire(at(from)), ..Default::default() };
        prop_assert_eq!(Lifetime::of(&content), written);
        // Whatever a stranger writes, it ends somewhere.
        let end = end_of(&content, written, at(0));
        prop_assert_eq!(end.is_some(), sent.is_some());
    }
}

#[test]
fn reading_begins_the_time_once_and_never_makes_it_longer() {
    let (connection, _folder) = store(&[(None, Some(1000)), (Some(500), Some(1000)), (None, None)]);
    for (message, begun) in [(1, true), (2, true), (3, false)] {
        assert_eq!(opened(&connection, message, at(100)).unwrap(), begun);
        assert!(!opened(&connection, message, at(200)).unwrap());
    }
    let ends: Vec<Option<i64>> = [1, 2, 3]
        .map(|message| {
            let sql = "SELECT expires_at FROM message WHERE sequence = ?1";
            connection
                .query_row(sql, [message], |row| row.get(0))
                .unwrap()
        })
        .to_vec();
    assert_eq!(ends, [Some(1100), Some(500), None]);
}

#[test]
fn what_is_due_is_found_by_an_index_however_much_is_kept() {
    let (connection, _folder) = store(&[]);
    for sql in [
        format!("{ENDINGS} {DUE}"),
        format!("{ENDINGS} {TOO_EARLY}"),
        NEXT.to_owned(),
    ] {
        let mut statement = connection
            .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
            .unwrap();
        let parameters = vec![1; statement.parameter_count()];
        let steps: Vec<String> = statement
            .query_map(rusqlite::params_from_iter(parameters), |row| row.get(3))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let whole = |step: &String| step.starts_with("SCAN m") || step.contains("TEMP B-TREE");
        assert!(!steps.iter().any(whole), "{steps:?}");
    }
}

/// A store with messages that are over at some time, or so long after they were opened.
fn store(messages: &[(Option<i64>, Option<i64>)]) -> (Connection, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let connection = tests_support::connection(folder.path());
    let sql = "INSERT INTO conversation (id, conversation_id, reference) VALUES (1, X'01', X'')";
    connection.execute(sql, []).unwrap();
    let sender = DeviceId::from_bytes([1; 16]);
    for (number, (expires_at, read_for)) in messages.iter().enumerate() {
        let sql =
            "INSERT INTO message (message_id, sender_device, sender_user, conversation, direction,
                proof, priority, created_at, arrived_at, body, expires_at, read_for)
            VALUES (?1, ?2, 'NS-1', 1, 2, 1, 1, 0, 0, X'01', ?3, ?4)";
        let parameters = params![
            number.to_be_bytes(),
            sender.as_bytes(),
            expires_at,
            read_for
        ];
        connection.execute(sql, parameters).unwrap();
    }
    (connection, folder)
}

const fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}
