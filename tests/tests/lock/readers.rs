//! A reader in a tight loop beside tight publishers never sees an empty, partial or doubly linked lock.

use std::{io::Read, os::unix::fs::MetadataExt};

use super::{
    support::{LOCK, dir},
    worker::Worker,
};

#[test]
fn a_million_reads_see_no_empty_or_torn_lock() {
    let dir = dir();
    let path = dir.path().join(LOCK);
    // One publishes and releases, the other dies each time and is taken over by exchange.
    let mut publisher = Worker::start("cycle", dir.path(), &["id=p", "bare=1", "quiet=1"]);
    let mut dying = Worker::start("storm", dir.path(), &["id=s", "run_ms=600000", "hold_us=0"]);
    let (mut absent, mut whole, mut inodes) = (0_u32, 0_u32, std::collections::HashSet::new());
    let mut text = Vec::with_capacity(1024);
    for _ in 0..1_000_000 {
        let Ok(mut file) = std::fs::File::open(&path) else {
            absent += 1;
            continue;
        };
        text.clear();
        file.read_to_end(&mut text).unwrap();
        let meta = file.metadata().unwrap();
        assert!(meta.nlink() <= 1, "{} links", meta.nlink());
        assert!(
            text.starts_with(b"{\n  \"pid\": ") && text.ends_with(b"\"flock\": 1\n}\n"),
            "{:?}",
            String::from_utf8_lossy(&text)
        );
        inodes.insert((meta.ino(), meta.ctime_nsec()));
        whole += 1;
    }
    println!("{whole} whole reads of {} generations, {absent} times nothing there", inodes.len());
    assert!(whole > 100_000 && inodes.len() > 100);
    publisher.kill();
    dying.kill();
}
