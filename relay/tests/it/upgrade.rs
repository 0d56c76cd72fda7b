//! A relay on the file of an earlier version: what waited there is delivered, and what is new works.

use std::path::Path;

use rusqlite::Connection;
use wardline_proto::v1;

use crate::{
    held::{MINUTE, Scene, tier},
    world::submission,
};

/// The schema before messages could be held.
const VERSION_4: [&str; 4] = [
    include_str!("../../src/storage/sqlite/schema_1.sql"),
    include_str!("../../src/storage/sqlite/schema_2.sql"),
    include_str!("../../src/storage/sqlite/schema_3.sql"),
    include_str!("../../src/storage/sqlite/schema_4.sql"),
];

/// Makes of a relay's file one of version 4, with every row that it could hold.
fn put_back(folder: &Path) {
    let (newer, older) = (folder.join("relay.db"), folder.join("older.db"));
    let file = Connection::open(&older).unwrap();
    file.execute_batch("PRAGMA journal_mode = WAL").unwrap();
    for step in VERSION_4 {
        file.execute_batch(step).unwrap();
    }
    file.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA user_version = 4")
        .unwrap();
    // Their rows are copied like others.
    let triggers = "SELECT sql FROM sqlite_master WHERE type = 'trigger'";
    let triggers = words(&file, triggers);
    for name in words(
        &file,
        "SELECT name FROM sqlite_master WHERE type = 'trigger'",
    ) {
        file.execute_batch(&format!("DROP TRIGGER {name}")).unwrap();
    }
    let newer_file = newer.to_str().unwrap();
    file.execute("ATTACH ?1 AS newer", [newer_file]).unwrap();
    let tables = words(
        &file,
        "SELECT name FROM main.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    );
    let mut copied = 0;
    for table in tables {
        let columns = format!("SELECT name FROM pragma_table_info('{table}', 'main')");
        let columns = words(&file, &columns).join(", ");
        copied += file
            .execute(
                &format!(
                    "INSERT INTO main.{table} ({columns}) SELECT {columns} FROM newer.{table}"
                ),
                [],
            )
            .unwrap();
    }
    assert!(copied > 10, "there is something to lose");
    file.execute_batch("DETACH newer").unwrap();
    for trigger in triggers {
        file.execute_batch(&trigger).unwrap();
    }
    file.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
        .unwrap();
    drop(file);
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(folder.join(format!("relay.db{suffix}")));
    }
    std::fs::rename(older, newer).unwrap();
}

fn words(file: &Connection, sql: &str) -> Vec<String> {
    let mut statement = file.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

fn version(folder: &Path) -> i64 {
    let file = Connection::open(folder.join("relay.db")).unwrap();
    file.query_row("PRAGMA user_version", [], |row| row.get(0))
        .unwrap()
}

#[tokio::test]
async fn relay_on_the_file_of_before_messages_were_held_loses_nothing_and_holds_them_now() {
    let mut scene = Scene::new().await;
    scene
        .world
        .upload(&scene.ben, &[1, 2], Some(50))
        .await
        .unwrap();
    let message = submission("from before", &[&scene.ben, &scene.cara]);
    scene.world.send(&scene.ada, message.clone()).await.unwrap();
    let before = [
        scene.world.receive(&scene.ben).await.unwrap(),
        scene.world.receive(&scene.cara).await.unwrap(),
    ];
    scene.world.relay.close().await;
    put_back(&scene.world.path());
    assert_eq!(version(&scene.world.path()), 4);

    scene.world.restart().await;
    assert!(version(&scene.world.path()) > 4);
    let after = [
        scene.world.receive(&scene.ben).await.unwrap(),
        scene.world.receive(&scene.cara).await.unwrap(),
    ];
    assert_eq!(after, before);
    // Sent again, because its answer was lost when the relay was stopped for the upgrade.
    scene.world.send(&scene.ada, message).await.unwrap();
    assert_eq!(scene.world.receive(&scene.ben).await.unwrap(), before[0]);
    let claim = v1::ClaimKeysRequest {
        device_ids: vec![scene.ben.id().to_vec()],
        ..Default::default()
    };
    let keys = scene.world.ask(&scene.ada, &claim).await.unwrap();
    assert_eq!(keys.keys.len(), 1, "its keys are here");

    scene.raise(vec![tier(MINUTE, &[&scene.dan])]).await;
    scene.pass(MINUTE).await;
    assert_eq!(scene.given(&scene.dan).await, ["held content"]);
    scene.world.restart().await;
    assert_eq!(scene.given(&scene.dan).await, ["held content"]);
}
