//! The engine of the gateway: sessions, turns, sends, spawns and announces, without a word of HTTP.
//!
//! Each public method is one RPC method. What it promises is written to the event file before the promise is given; what
//! it does afterwards runs in a task of its own that the engine waits for at shutdown.

mod announces;
mod keys;
mod lanes;
mod recover;
mod rings;
mod run_turn;
mod runs;
mod sends;
mod sessions;
mod spawns;
mod tasks;
#[cfg(test)]
mod tests;
mod to_session;
mod tools;
mod turns;
mod waiters;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use moorline_lock_core::Locks;
use moorline_taxonomy::Cancelled;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::{
    events::Events,
    model::Models,
    settings::{Limits, Settings},
    state_dir::StateDir,
};

pub(crate) use announces::{NobodySends, row};
pub(crate) use run_turn::AgentParams;
pub(crate) use sends::{SendParams, check_message};
pub(crate) use sessions::{CreateParams, HistoryParams, ResolveParams};
pub(crate) use spawns::SpawnParams;
pub(crate) use tools::{effect_of, method_of, remote_tools, specs};
pub(crate) use turns::{Found, Incoming, TurnEnd, Turns, watched_locks};
pub(crate) use waiters::Waiters;

use announces::Announces;
use keys::Keys;
use lanes::Lanes;
use rings::Rings;
use runs::Runs;
use tasks::Tasks;

/// How long turns may take to end after a shutdown was asked for.
const DRAIN: Duration = Duration::from_secs(5);

/// Counters of what is open, for `health`.
#[derive(Default)]
struct Open {
    sends: AtomicUsize,
    spawns_accepted: AtomicUsize,
    announces_delivered: AtomicUsize,
}

/// One gateway.
pub(crate) struct Engine {
    state: StateDir,
    events: Events,
    turns: Turns,
    lanes: Arc<Lanes>,
    runs: Runs,
    keys: Keys,
    rings: Rings,
    limits: Limits,
    announces: Announces,
    tasks: Tasks,
    open: Open,
    /// Held while a child is accepted.
    spawning: tokio::sync::Mutex<()>,
    stop: watch::Sender<bool>,
}

impl Engine {
    pub(crate) async fn start(
        state: StateDir,
        models: Models,
        settings: &Settings,
    ) -> anyhow::Result<Arc<Self>> {
        let events = Events::open(&state.events(), "gateway")?;
        let turns = Turns::new(state.clone(), settings.lock.clone(), events.clone(), models);
        for agent in std::fs::read_dir(state.sessions())? {
            for swept in turns.locks().sweep(&agent?.path(), false)? {
                tracing::info!(path = swept.path, action = swept.action, "swept at start");
            }
        }
        let announces = Announces::open(&state, settings.announce).await?;
        let (lanes, became_idle) =
            Lanes::new(settings.limits.turns as usize, settings.limits.waiting_per_session as usize);
        let engine = Arc::new(Self {
            announces,
            turns,
            lanes,
            limits: settings.limits,
            runs: Runs::default(),
            keys: Keys::default(),
            rings: Rings::default(),
            tasks: Tasks::default(),
            open: Open::default(),
            spawning: tokio::sync::Mutex::default(),
            stop: watch::Sender::new(false),
            state,
            events,
        });
        engine.recover().await?;
        engine.drive_announces(became_idle);
        Ok(engine)
    }

    /// Stops admitting, lets turns end for a bounded time, and releases every lock.
    pub(crate) async fn shut_down(&self) {
        self.stop.send_replace(true);
        self.runs.cancel_all(Cancelled::Shutdown);
        if !self.tasks.finish(DRAIN).await {
            tracing::warn!("some turns did not end in time; their locks are left to be taken over");
        }
        self.events.settle();
        let left = Locks::release_all(DRAIN).await;
        if left > 0 {
            tracing::warn!(left, "locks could not be released");
        }
    }

    /// The state directory.
    pub(crate) fn root(&self) -> &std::path::Path {
        self.state.root()
    }

    /// What is written down and told.
    pub(crate) fn events(&self) -> &Events {
        &self.events
    }

    /// The outbox and its operations.
    pub(crate) fn announcer(&self) -> &moorline_announce::Announcer {
        self.announces.announcer()
    }

    /// How full the lanes are.
    pub(crate) fn queues(&self) -> lanes::Queues {
        self.lanes.queues()
    }

    /// Sends that were accepted and are not settled.
    pub(crate) fn open_sends(&self) -> usize {
        self.open.sends.load(Ordering::Relaxed)
    }

    /// Who waits for a session lock.
    pub(crate) fn waiters(&self) -> &Waiters {
        self.turns.waiters()
    }

    /// What is going on, in numbers.
    pub(crate) fn health(&self) -> Value {
        json!({
            "ok": true,
            "pid": std::process::id(),
            "lanes": { "turns": self.lanes.total() },
            "sends": { "open": self.open.sends.load(Ordering::Relaxed) },
            "spawns": { "accepted": self.open.spawns_accepted.load(Ordering::Relaxed) },
            "announces": { "delivered": self.open.announces_delivered.load(Ordering::Relaxed) },
            "locks": Locks::stats(),
        })
    }
}
