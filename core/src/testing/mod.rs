//! For tests of whole systems: what is in a client's store, and a disk that is full. Never in a
//! shipped app. [`fuzz`]: what the fuzzer calls.

pub mod fuzz;

use rusqlite::{Connection, types::ValueRef};
use wardline_org::{DeviceId, UserId};
use wardline_proto::v1;

use crate::{
    client::Client,
    conversation::Recipient,
    engine::{outbox, points::Commit},
    error::Error,
    id::{ConversationId, MessageId, MessageRef},
    message::amend,
    session::content,
    store::{Store, StoreError},
};

/// The tables of the store, in the order of their names.
///
/// # Errors
/// Those of reading the store.
pub async fn tables(client: &Client) -> Result<Vec<String>, Error> {
    let tables = client.store().read(|connection| -> Result<_, StoreError> {
        let mut statement = connection.prepare(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'
             ORDER BY name",
        )?;
        let names = statement.query_map([], |row| row.get(0))?;
        Ok(names.collect::<Result<_, _>>()?)
    });
    Ok(tables.await?)
}

/// Some columns of every row of a table, as texts to compare, in the order of their texts.
///
/// # Errors
/// Those of reading the store; a name that is none.
pub async fn rows(client: &Client, table: &str, columns: &str) -> Result<Vec<String>, Error> {
    let sql = format!("SELECT {columns} FROM {table}");
    let rows = client
        .store()
        .read(move |connection| texts(connection, &sql));
    Ok(rows.await?)
}

/// Seals as a changed client of this person could: a content in any conversation, for any devices that this one has a
/// session with; `change` makes it say anything.
///
/// # Errors
/// Those of writing the store.
pub async fn forge(
    client: &Client,
    conversation: (ConversationId, v1::ConversationRef),
    to: Vec<(DeviceId, UserId)>,
    change: impl FnOnce(&mut v1::Content) + Send + 'static,
) -> Result<MessageId, Error> {
    client.forge(conversation, to, change).await
}

/// Notes a wish to have everything sealed again, as a device does that could open nothing.
///
/// # Errors
/// Those of writing the store.
pub async fn want_resealed(client: &Client) -> Result<(), Error> {
    let noted = client.store().write(|work| -> Result<(), StoreError> {
        let sql = "UPDATE recipient SET reseal_wanted_at = 1, resealed_at = NULL, state = 2";
        work.connection.execute(sql, [])?;
        Ok(())
    });
    Ok(noted.await?)
}

/// How far the search index has come; `None` while locked.
///
/// # Errors
/// Those of reading the index.
pub async fn indexed_up_to(client: &Client) -> Result<Option<i64>, Error> {
    client.indexed_up_to().await
}

/// Brings the search index up to date, while something happens between what it reads of the store and what it
/// writes: what another process may do. Nothing while locked.
///
/// # Errors
/// Those of the store and of the index.
pub async fn index_while(
    client: &Client,
    meanwhile: impl Future<Output = ()>,
) -> Result<(), Error> {
    client.index_while(meanwhile).await
}

/// From now on the store finds no space to grow, as on a full disk; or finds some again.
///
/// # Errors
/// Those of writing the store.
pub async fn fill_disk(client: &Client, full: bool) -> Result<(), Error> {
    let store: &Store<_> = client.store();
    let filled = store.write(move |work| -> Result<(), StoreError> {
        // SQLite keeps what is used already, and refuses every page more.
        let most = if full { 1 } else { i64::from(u32::MAX) - 1 };
        let set = format!("PRAGMA max_page_count = {most}");
        Ok(work.connection.query_row(&set, [], |_| Ok(()))?)
    });
    Ok(filled.await?)
}

/// Sends a content that the app could not have written, signed and sealed as it should be: what a changed client of an
/// enrolled person does.
///
/// # Errors
/// Those of writing the store.
pub async fn send_anything(
    client: &Client,
    recipient: Recipient,
    content: v1::Content,
) -> Result<MessageId, Error> {
    client
        .step(Commit::Send, move |step| {
            Ok(outbox::write(step, &recipient, content)?.1)
        })
        .await
}

/// What the author's device has signed of a message.
///
/// # Errors
/// [`Error::Locked`], [`Error::Unknown`].
pub async fn signed(client: &Client, message: MessageRef) -> Result<v1::SignedContent, Error> {
    let context = client.context();
    let keys = context.reading.ok_or(Error::Locked)?;
    let latest = context.clocks.latest();
    let signed = client
        .store()
        .read(move |connection| amend::signed(connection, &keys, message, latest));
    Ok(signed.await?.0)
}

/// Signs anything as this device's word, as a changed client can.
pub fn sign(client: &Client, content: &v1::Content) -> v1::SignedContent {
    content::sign(&client.context().identity, content)
}

fn texts(connection: &Connection, sql: &str) -> Result<Vec<String>, StoreError> {
    let mut statement = connection.prepare(sql)?;
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    let mut texts = Vec::new();
    while let Some(row) = rows.next()? {
        let mut text = Vec::with_capacity(columns);
        for column in 0..columns {
            text.push(match row.get_ref(column)? {
                ValueRef::Null => "-".to_owned(),
                ValueRef::Integer(number) => number.to_string(),
                ValueRef::Real(number) => number.to_string(),
                ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                ValueRef::Blob(bytes) => hex::encode(bytes),
            });
        }
        texts.push(text.join(" "));
    }
    texts.sort();
    Ok(texts)
}
