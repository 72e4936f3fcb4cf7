//! Many waiters in one process, each on a session of its own that somebody else holds.

use moorline_lock_core::{Locks, RunTag};
use tokio::task::JoinSet;

use crate::{args::Args, cycle::acknowledge};

pub(crate) async fn run(args: &Args) -> Result<(), String> {
    let count = args.number("count", 1000_u32);
    let locks = args.locks();
    let hold = args.text("hold") == Some("1");
    let mut set = JoinSet::new();
    let mut all = Vec::new();
    for number in 0..count {
        let target = args.target(&format!("session-{number}.jsonl"))?;
        let (locks, tag) = (locks.clone(), RunTag::new(&format!("{}-{number}", std::process::id())));
        set.spawn(async move { locks.acquire(&target, &tag).await.map_err(|error| error.to_string()) });
    }
    if !hold {
        // One turn of the runtime has let every waiter look once; a waiter that sleeps is counted.
        while Locks::stats().waited < u64::from(count) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        acknowledge("waiting\n");
    }
    while let Some(result) = set.join_next().await {
        all.push(result.map_err(|error| error.to_string())??);
    }
    acknowledge("all\n");
    let _ = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await;
    drop(all);
    acknowledge(&format!("stats {}\n", serde_json::to_string(&Locks::stats()).unwrap_or_default()));
    Ok(())
}
