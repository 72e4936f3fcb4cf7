//! `moorline stress`: a live gateway, runner processes on the same transcripts, faults chosen by a seed, and the proof from
//! the files.
//!
//! The plan is a pure function of the options and the seed; the rest does what it says and writes down what callers were
//! told. Whether anything was lost is not for this process to say: at the end a separate one audits the files, and this one
//! shows what that found. The option not taken is to keep count while it goes: a count that shares memory with what it
//! counts agrees with its mistakes.

mod callers;
mod faults;
mod keeper;
mod outsider;
pub(crate) mod plan;
mod progress;
mod proxy;
pub(crate) mod record;
pub(crate) mod report;
mod runners;
pub(crate) mod summary;

use std::{path::PathBuf, sync::Arc, time::Duration};

use moorline_lock_core::OnStale;
use serde_json::{Value, json};
use tokio::{sync::watch, task::JoinSet, time::Instant};

use crate::{
    audit::Audit, clock, holds, processes, rpc::client::Client, session_key::SessionKey, settings,
    state_dir::StateDir,
};
use callers::Callers;
use keeper::Keeper;
use outsider::Outsider;
use plan::{Call, FaultKind, Options, Plan, Step};
use progress::Progress;
use proxy::Proxy;
use record::{Record, Recorder};

/// How long what was promised may take to be kept after the last call.
const SETTLE: Duration = Duration::from_secs(60);
const SCRIPT: &str = include_str!("script.yaml");

/// A run under way.
struct Stress {
    state: StateDir,
    script: PathBuf,
    sessions: Vec<SessionKey>,
    keeper: Keeper,
    proxy: Option<Arc<Proxy>>,
    outsider: Outsider,
    recorder: Arc<Recorder>,
    progress: Progress,
    began: Instant,
}

/// Performs a plan on an empty state directory; returns what the audit found in its files.
pub(crate) async fn perform(
    state: &StateDir,
    options: &Options,
    plan: Plan,
    quiet: bool,
) -> anyhow::Result<Audit> {
    let script = state.root().join("models.yaml");
    std::fs::write(&script, SCRIPT)?;
    std::fs::write(state.root().join("config.yaml"), config())?;
    holds::ask_for(state.root())?;
    let recorder = Arc::new(Recorder::create(state)?);
    recorder.write(&Record::Began { at: clock::wall_ms(), options: options.clone() })?;
    let keeper = Keeper::start(state, script.clone()).await?;
    let mut tasks = JoinSet::new();
    let proxy = match options.faults.contains(&FaultKind::Net) {
        true => Some(Proxy::open(keeper.address(), &mut tasks).await?),
        false => None,
    };
    let door = door(&keeper, proxy.as_deref(), &state.token()?, &mut tasks)?;
    let callers = Callers { door, recorder: Arc::clone(&recorder), seed: options.seed };
    let stress = Arc::new(Stress {
        state: state.clone(),
        script,
        sessions: plan.sessions.clone(),
        keeper,
        proxy,
        outsider: Outsider::new(state, settings::load(state, OnStale::Wait)?.lock)?,
        recorder,
        progress: Progress::new(plan.steps.len(), quiet),
        began: Instant::now(),
    });
    stress.take(plan, &callers, options.processes).await?;
    stress.progress.message("settling");
    settled(&callers).await?;
    // After all of it, every session still answers; whatever a killed owner left behind is taken over by this.
    stress.closing(&callers).await?;
    settled(&callers).await?;
    stress.keeper.end().await?;
    tasks.shutdown().await;
    stress.progress.message("auditing");
    let found = processes::audited(state).await?;
    stress.progress.finish();
    Ok(found)
}

/// The client of the present gateway: it changes when another gateway serves, unless a proxy stands before them.
fn door(
    keeper: &Keeper,
    proxy: Option<&Proxy>,
    token: &str,
    tasks: &mut JoinSet<()>,
) -> anyhow::Result<watch::Receiver<Client>> {
    let mut address = keeper.address();
    let first = match proxy {
        Some(proxy) => proxy.address(),
        None => address.borrow_and_update().clone(),
    };
    let (sender, door) = watch::channel(Client::at(&first, token)?);
    if proxy.is_none() {
        let token = token.to_owned();
        tasks.spawn(async move {
            while address.changed().await.is_ok() {
                let now = address.borrow_and_update().clone();
                if let Ok(client) = Client::at(&now, &token) {
                    sender.send_replace(client);
                }
            }
        });
    }
    Ok(door)
}

/// Thresholds small enough to be passed in a second, and a patience that outlasts every fault.
fn config() -> String {
    let entries = json!({
        "acquireTimeoutMs": 20_000,
        "maxHoldMs": plan::MAX_HOLD.as_millis() as u64,
        "staleMs": plan::STALE.as_millis() as u64,
    });
    json!({"session": {"writeLock": entries}}).to_string()
}

impl Stress {
    async fn take(self: &Arc<Self>, plan: Plan, callers: &Callers, slots: u32) -> anyhow::Result<()> {
        let mut work = JoinSet::new();
        let (runs, calls): (Vec<Step>, Vec<Step>) =
            plan.steps.into_iter().partition(|step| matches!(step.call, Call::Runner { .. }));
        let slots = slots.max(1) as usize;
        for slot in 0..slots {
            let steps: Vec<Step> = runs.iter().skip(slot).step_by(slots).cloned().collect();
            let stress = Arc::clone(self);
            work.spawn(async move { stress.run_slot(steps).await });
        }
        for step in calls {
            let (stress, callers) = (Arc::clone(self), callers.clone());
            work.spawn(async move {
                tokio::time::sleep_until(stress.began + step.at).await;
                callers.ask(&step).await?;
                stress.progress.inc(1);
                Ok(())
            });
        }
        for note in plan.notes {
            let stress = Arc::clone(self);
            work.spawn(async move { stress.intrude(note).await });
        }
        for fault in plan.faults {
            let stress = Arc::clone(self);
            work.spawn(async move { stress.inflict(fault).await });
        }
        while let Some(done) = work.join_next().await {
            done??;
        }
        Ok(())
    }

    async fn closing(self: &Arc<Self>, callers: &Callers) -> anyhow::Result<()> {
        let mut work = JoinSet::new();
        for (place, session) in self.sessions.iter().enumerate() {
            let callers = callers.clone();
            let call = Call::Turn { session: session.clone() };
            // Numbers behind every planned one.
            let step = Step { number: usize::MAX / 2 + place, at: Duration::ZERO, call };
            work.spawn(async move { callers.ask(&step).await });
        }
        while let Some(done) = work.join_next().await {
            done??;
        }
        Ok(())
    }
}

/// Waits until no turn is under way, no send is open and no result is on its way. What does not settle is left for the
/// audit to name.
async fn settled(callers: &Callers) -> anyhow::Result<()> {
    let end = Instant::now() + SETTLE;
    while Instant::now() < end {
        let client = callers.door.borrow().clone();
        let health = client.call("health", json!({})).await?;
        let open = |name: &str| health.pointer(name).and_then(Value::as_u64) != Some(0);
        if !open("/lanes/turns") && !open("/sends/open") && !on_the_way(&client).await? {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Whether results of children are still to be delivered.
async fn on_the_way(client: &Client) -> anyhow::Result<bool> {
    let rows = client.call("announce.list", json!({})).await?;
    let states = rows["rows"].as_array().into_iter().flatten().filter_map(|row| row["state"].as_str());
    Ok(states.into_iter().any(|state| matches!(state, "prepared" | "sending" | "uncertain")))
}
