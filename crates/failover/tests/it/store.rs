//! Every store keeps the port's promises: one suite, run over each of them.

use std::{sync::Arc, time::Duration};

use moorline_failover::{Cooldown, CooldownStore, Key, MemoryStore, Why};

use crate::support::noon;

fn key(model: Option<&str>) -> Key {
    Key { provider: "acme".to_owned(), credential: Some("key".to_owned()), model: model.map(str::to_owned) }
}

fn cooldown(why: Why, minutes: u64, strikes: u32) -> Cooldown {
    Cooldown {
        key: key(None),
        why,
        since: noon(),
        until: noon() + Duration::from_secs(minutes * 60),
        strikes,
    }
}

async fn keeps_its_promises(store: &dyn CooldownStore) {
    assert_eq!(store.load().await.unwrap(), []);

    // Merging keeps the later of each field, in any order and twice.
    let (short, long) = (cooldown(Why::RateLimit, 1, 4), cooldown(Why::RateLimit, 5, 1));
    for cooldown in [&long, &short, &short, &long] {
        store.merge(cooldown).await.unwrap();
    }
    let merged = Cooldown { strikes: 4, ..long.clone() };
    assert_eq!(store.load().await.unwrap(), std::slice::from_ref(&merged));

    // Reasons and keys are apart, an empty name and no name too.
    store.merge(&cooldown(Why::Billing, 300, 1)).await.unwrap();
    let nameless = Cooldown { key: key(Some("")), ..short.clone() };
    store.merge(&nameless).await.unwrap();
    let mut all = store.load().await.unwrap();
    all.sort_by_key(|cooldown| (cooldown.key.clone(), cooldown.why));
    assert_eq!(all, [merged.clone(), cooldown(Why::Billing, 300, 1), nameless]);

    // Clearing forgets what was seen, and not what was prolonged since.
    store.clear(&key(None), Why::RateLimit, short.until).await.unwrap();
    assert_eq!(store.load().await.unwrap().len(), 3);
    store.clear(&key(None), Why::RateLimit, merged.until).await.unwrap();
    assert_eq!(store.load().await.unwrap().len(), 2);

    // One probe at a time, until it is given back or its lease ends.
    let lease = noon() + Duration::from_secs(30);
    assert!(store.claim(&key(None), noon(), lease).await.unwrap());
    assert!(!store.claim(&key(None), noon(), lease).await.unwrap());
    assert!(store.claim(&key(Some("other")), noon(), lease).await.unwrap());
    store.release(&key(None)).await.unwrap();
    assert!(store.claim(&key(None), noon(), lease).await.unwrap());
    let later = lease + Duration::from_secs(60);
    assert!(
        !store.claim(&key(None), noon(), later).await.unwrap(),
        "and it does not prolong the other's lease"
    );
    assert!(
        store.claim(&key(None), lease, lease + Duration::from_secs(30)).await.unwrap(),
        "the lease has ended"
    );
    // A lease that was written by a clock far ahead holds nobody back.
    let day = Duration::from_secs(24 * 3600);
    assert!(store.claim(&key(Some("ahead")), noon() + day, lease + day).await.unwrap());
    assert!(store.claim(&key(Some("ahead")), noon(), lease).await.unwrap());
    assert!(!store.claim(&key(Some("ahead")), noon(), lease).await.unwrap());
}

#[tokio::test]
async fn memory() {
    keeps_its_promises(&MemoryStore::new()).await;
}

#[tokio::test]
async fn of_many_claims_one_wins() {
    let store: Arc<dyn CooldownStore> = Arc::new(MemoryStore::new());
    let mut claims = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let store = Arc::clone(&store);
        claims.spawn(async move {
            store.claim(&key(None), noon(), noon() + Duration::from_secs(30)).await.unwrap()
        });
    }
    assert_eq!(claims.join_all().await.into_iter().filter(|won| *won).count(), 1);
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use moorline_failover::SqliteStore;

    use super::*;

    #[tokio::test]
    async fn a_file() {
        let directory = tempfile::tempdir().unwrap();
        keeps_its_promises(&SqliteStore::open(&directory.path().join("cooldowns.sqlite")).unwrap()).await;
    }

    #[tokio::test]
    async fn a_file_survives_its_process_and_is_shared() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cooldowns.sqlite");
        let first = SqliteStore::open(&path).unwrap();
        first.merge(&cooldown(Why::Billing, 300, 2)).await.unwrap();
        let second = SqliteStore::open(&path).unwrap();
        assert_eq!(second.load().await.unwrap(), [cooldown(Why::Billing, 300, 2)]);
        let lease = noon() + Duration::from_secs(30);
        assert!(first.claim(&key(None), noon(), lease).await.unwrap());
        assert!(!second.claim(&key(None), noon(), lease).await.unwrap());
        drop((first, second));
        let third = SqliteStore::open(&path).unwrap();
        assert_eq!(third.load().await.unwrap(), [cooldown(Why::Billing, 300, 2)]);
    }

    #[test]
    fn what_is_no_store_is_refused_with_its_cause() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cooldowns.sqlite");
        std::fs::write(
            &path,
            "this is not a database, and it is long enough to be looked at as one".repeat(20),
        )
        .unwrap();
        let error = SqliteStore::open(&path).unwrap_err();
        assert!(std::error::Error::source(&error).is_some());
        assert_eq!(error.code().to_string(), "local.unclassified");
    }
}
