use super::*;

fn store() -> Result<Connection, StoreError> {
    let connection = Connection::open_in_memory()?;
    connection.execute_batch(include_str!("../../store/version_1.sql"))?;
    Ok(connection)
}

fn refuse(
    connection: &Connection,
    (number, at, curable): (u8, i64, bool),
    asked: Option<i64>,
) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO refused_envelope (envelope_id, sender_device, sender_user, at, cause,
             curable, reseal_requested_at) VALUES (?1, x'07', 'NS-1', ?2, 1, ?3, ?4)",
        params![[number], at, curable, asked],
    )?;
    Ok(())
}

fn numbers(connection: &Connection, sql: &str) -> Result<Vec<i64>, StoreError> {
    let mut statement = connection.prepare(sql)?;
    let numbers = statement.query_map([], |row| row.get(0))?;
    Ok(numbers.collect::<Result<_, _>>()?)
}

#[test]
fn a_restored_copy_says_again_what_it_may_not_have_said() -> Result<(), StoreError> {
    let connection = store()?;
    connection.execute_batch("PRAGMA foreign_keys = OFF")?;
    for (sequence, direction, arrived, read) in [
        (1_u8, Direction::Incoming, 50, Some(60)),
        (2, Direction::Incoming, 150, None),
        (3, Direction::Incoming, 50, Some(150)),
        (4, Direction::Outgoing, 150, None),
        (5, Direction::Incoming, 50, None),
    ] {
        connection.execute(
            "INSERT INTO message (sequence, message_id, sender_device, sender_user, conversation,
                 direction, proof, priority, created_at, arrived_at, read_at, content_hash, body)
             VALUES (?1, ?5, x'07', 'NS-1', 1, ?2, 1, 1, 0, ?3, ?4, x'01', x'')",
            params![sequence, direction as i64, arrived, read, [sequence; 16]],
        )?;
    }
    let recall = "UPDATE message SET recalled_at = 160 WHERE sequence = 5";
    connection.execute(recall, [])?;
    refuse(&connection, (1, 50, true), Some(51))?;
    refuse(&connection, (2, 150, true), Some(151))?;
    say_again(&connection, 100)?;
    let kinds = numbers(&connection, "SELECT kind FROM receipt ORDER BY id")?;
    let (delivered, read) = (v1::ReceiptKind::Delivered, v1::ReceiptKind::Read);
    let purged = v1::ReceiptKind::PurgedUnread;
    assert_eq!(
        kinds,
        [delivered, read, purged].map(|kind| i64::from(i32::from(kind)))
    );
    let asked = "SELECT at FROM refused_envelope WHERE reseal_requested_at IS NULL";
    assert_eq!(numbers(&connection, asked)?, [150]);
    Ok(())
}

#[test]
fn refused_envelopes_are_forgotten_once_they_are_old_and_settled() -> Result<(), StoreError> {
    let connection = store()?;
    for (refused, asked) in [
        ((1, 10, false), None),
        ((2, 11, true), Some(20)),
        ((3, 12, true), None),
        ((4, 13, true), Some(150)),
        ((5, 140, false), None),
    ] {
        refuse(&connection, refused, asked)?;
    }
    forget_refused(&connection, 100)?;
    let kept = "SELECT at FROM refused_envelope ORDER BY at";
    assert_eq!(numbers(&connection, kept)?, [12, 13, 140]);
    Ok(())
}
