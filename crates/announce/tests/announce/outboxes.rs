//! Both outboxes against the conformance suite, and what only a file can do wrong.

use std::os::unix::fs::PermissionsExt as _;

use moorline_announce::{
    Envelope, Filter, Key, Limits, MemoryOutbox, Outbox, SqliteOutbox, Timestamp, check_outbox, prepare,
};
use moorline_taxonomy::{Coordination, Local, Mark};

fn row(run: &str) -> moorline_announce::Row {
    let key = Key::completion("agent:main:main", run).unwrap();
    prepare(
        key,
        Envelope::result("agent:main:main", "done"),
        Timestamp::from_millis(1),
        &Limits::standard().unwrap(),
    )
}

#[tokio::test]
async fn the_one_in_memory_conforms() {
    check_outbox(|| async { MemoryOutbox::default() }).await;
}

#[tokio::test]
async fn the_one_in_a_file_conforms() {
    let folder = tempfile::tempdir().unwrap();
    let mut number = 0;
    check_outbox(|| {
        number += 1;
        let path = folder.path().join(format!("{number}.sqlite"));
        async move { SqliteOutbox::open(path).await.unwrap() }
    })
    .await;
}

#[tokio::test]
async fn a_file_keeps_its_rows_and_its_privacy_and_has_one_writer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("announce.sqlite");
    std::fs::write(&path, "").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let first = SqliteOutbox::open(&path).await.unwrap();
    let kept = first.prepare(&row("r")).await.unwrap();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", file.path());
    }

    let second = SqliteOutbox::open(&path).await.unwrap_err();
    assert_eq!(second.code(), Coordination::StorageBusy.into(), "{second}");
    assert!(second.to_string().contains("announce.sqlite"));

    drop(first);
    let third = SqliteOutbox::open(&path).await.unwrap();
    assert_eq!(third.list(&Filter::default()).await.unwrap(), [kept.row().clone()]);
}

#[tokio::test]
async fn what_is_no_outbox_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("notes.txt");
    std::fs::write(&text, "not a database, but long enough to have a header to look at".repeat(100)).unwrap();
    let before = std::fs::read(&text).unwrap();
    let refused = SqliteOutbox::open(&text).await.unwrap_err();
    assert_eq!(Mark::find(&refused).unwrap().code(), Local::Config.into());
    assert_eq!(std::fs::read(&text).unwrap(), before);

    let missing = SqliteOutbox::open(folder.path().join("no/such/folder/x")).await.unwrap_err();
    assert!(missing.to_string().contains("no/such/folder"), "{missing}");
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(folder.path().join("target"), &link).unwrap();
    assert!(SqliteOutbox::open(&link).await.is_err(), "a symlink may lead anywhere");
    assert!(SqliteOutbox::open(folder.path()).await.is_err(), "a folder is no file");
}
