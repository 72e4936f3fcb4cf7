//! The runner: one call for one turn, one outcome.
//!
//! The decision: the steps (`steps.rs`) say how they broke off, and this file alone turns that into an outcome, parking what
//! was paid for. What must stay true: whatever happens (a stop, a deadline, a takeover, a full disk), there is exactly one
//! outcome; the error that broke the run off stays the primary one, and what cleaning up met stands beside it.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use moorline_failover::{CooldownStore, Limits, Record};
use moorline_lock_core::{Durability, Locks, OnStale, RunTag};
use moorline_retry::{Budget, Clock, SystemClock};
use moorline_taxonomy::{Cancelled, Code, Effect, Provider, RunnerVerdict, Wire, policy};

use super::{
    candidates::{Failover, beside},
    halt::Halt,
    inbox::Inbox,
    model::{Model, StreamSink},
    outcome::{Failure, RunOutcome, Superseded},
    prompt_cache::PromptCache,
    repair::Repair,
    steps::{Broken, Run},
    tool::ToolHost,
    turn::Turn,
};
use crate::{
    Stop,
    parked::{self, Paid},
    transcript::{Jsonl, Transcript},
};

/// A stopped run is given this long to note that it was stopped; then it is dropped where it stands.
const GRACE: Duration = Duration::from_millis(1500);
/// What is left of the two seconds within which a stopped run is over.
const DRAIN: Duration = Duration::from_millis(400);

/// Runs turns of sessions.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use async_trait::async_trait;
/// use moorline_lock_core::{LockConfig, Locks};
/// use moorline_runner::*;
///
/// struct Parrot;
/// #[async_trait]
/// impl Model for Parrot {
///     async fn call(&self, request: &ModelRequest, _sink: &mut dyn StreamSink) -> Result<ModelReply, ModelError> {
///         Ok(ModelReply::text(request.messages.last().map_or("", Message::text)))
///     }
/// }
/// struct NoTools;
/// #[async_trait]
/// impl ToolHost for NoTools {
///     async fn call(&self, _: &ToolCall, _: &ToolContext) -> Result<ToolResult, ToolError> {
///         Ok(ToolResult::default())
///     }
///     fn effect(&self, _: &str) -> ToolEffect {
///         ToolEffect::None
///     }
/// }
///
/// let dir = tempfile::tempdir()?;
/// let turn = Turn {
///     transcript: dir.path().join("s.jsonl"),
///     session_key: "agent:main:main".into(),
///     run_id: "run-1".into(),
///     message: Incoming { text: "hello".into(), idempotency_key: "m-1".into(), ..Incoming::default() },
///     candidates: vec![Candidate::new("local", "parrot")],
///     ..Turn::default()
/// };
/// let runner = Runner::new(Locks::new(LockConfig::default()));
/// let outcome = runner.run(&turn, &Parrot, &NoTools, &mut Nothing, &Stop::new()).await;
/// assert!(matches!(outcome, RunOutcome::Replied(reply) if reply.text == "hello"));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Runner {
    pub(super) locks: Locks,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) format: Arc<dyn Transcript>,
    pub(super) durability: Durability,
    pub(super) on_stale: OnStale,
    pub(super) max_rounds: usize,
    pub(super) failover: Failover,
    pub(super) prompt_cache: Option<Arc<dyn PromptCache>>,
    pub(super) repair: Option<Arc<dyn Repair>>,
}

impl Runner {
    /// A runner that uses these locks, the system's clock and durability per turn, and waits for a stale lock as long as its
    /// budget lasts.
    #[must_use]
    pub fn new(locks: Locks) -> Self {
        Self {
            locks,
            clock: Arc::new(SystemClock),
            format: Arc::new(Jsonl),
            durability: Durability::Turn,
            on_stale: OnStale::Wait,
            max_rounds: 200,
            failover: Failover::default(),
            prompt_cache: None,
            repair: None,
        }
    }

    /// Takes another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// When appended lines reach the disk.
    #[must_use]
    pub fn with_durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// What an acquisition does about a live stale lock.
    #[must_use]
    pub fn on_stale(mut self, on_stale: OnStale) -> Self {
        self.on_stale = on_stale;
        self
    }

    /// Where cooldowns of providers, credentials and models are kept; in this runner's memory unless set.
    #[must_use]
    pub fn with_cooldowns(mut self, store: Arc<dyn CooldownStore>) -> Self {
        self.failover.store = store;
        self
    }

    /// Tells each step of failover when it is made, with the run's id.
    #[must_use]
    pub fn with_observer(mut self, observer: impl Fn(&str, &Record) + Send + Sync + 'static) -> Self {
        self.failover.observer = Some(Arc::new(observer));
        self
    }

    /// How much all runs together may spend on second tries; without end unless set.
    #[must_use]
    pub fn with_budget(mut self, budget: Budget) -> Self {
        self.failover.budget = budget;
        self
    }

    /// How often and how long the candidates of one call are tried.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.failover.limits = limits;
        self
    }

    /// Keeps provider-side prompt caches.
    #[must_use]
    pub fn with_prompt_cache(mut self, cache: Arc<dyn PromptCache>) -> Self {
        self.prompt_cache = Some(cache);
        self
    }

    /// Makes requests fit again that no candidate takes, once in a turn.
    #[must_use]
    pub fn with_repair(mut self, repair: Arc<dyn Repair>) -> Self {
        self.repair = Some(repair);
        self
    }

    /// The most model calls with tools in one turn; 200 unless set.
    #[must_use]
    pub fn with_max_rounds(mut self, rounds: usize) -> Self {
        self.max_rounds = rounds.max(1);
        self
    }

    /// Runs a turn to its outcome.
    ///
    /// The lock is held only while something is written, never while the model or a tool works. Stopping takes at most two
    /// seconds, whatever a model or a tool does. Cancel-safe: dropping the future releases the lock; the transcript then
    /// ends with an unfinished turn, which the next reader finds ([`crate::Session::unfinished`]).
    #[tracing::instrument(name = "moorline.attempt", skip_all, fields(run = %turn.run_id, session = %turn.session_key))]
    pub async fn run(
        &self,
        turn: &Turn,
        model: &dyn Model,
        tools: &dyn ToolHost,
        sink: &mut dyn StreamSink,
        stop: &Stop,
    ) -> RunOutcome {
        let _closing = turn.inbox.as_ref().map(Inbox::closing);
        let tag = RunTag::new(&turn.run_id).in_session(&turn.session_key);
        let mut run = Run::new(self, turn, tag, stop);
        let broken = {
            let steps = run.steps(model, tools, sink);
            tokio::select! {
                biased;
                done = steps => done,
                halt = hard_end(stop, turn, &*self.clock) => Err(Broken::Halted(halt)),
            }
        };
        run.end(DRAIN).await;
        // A reply that is in the transcript is the outcome, whatever came after it.
        if let Some(reply) = run.replied.take() {
            return RunOutcome::Replied(reply);
        }
        let outcome = match broken {
            Ok(reply) => RunOutcome::Replied(reply),
            Err(broken) => self.outcome(turn, &mut run, broken).await,
        };
        tracing::debug!(run = turn.run_id, session = turn.session_key, outcome = word(&outcome), "run ended");
        outcome
    }

    async fn outcome(&self, turn: &Turn, run: &mut Run<'_>, broken: Broken) -> RunOutcome {
        let effect = if run.had_effect { Effect::Possible } else { Effect::None };
        match broken {
            Broken::Halted(Halt::Stopped(why)) => {
                match why {
                    // Whoever aborts a run does not want its reply.
                    Cancelled::User => {}
                    Cancelled::ClientGone | Cancelled::Shutdown => {
                        self.park(turn, run, "cancelled").await;
                    }
                }
                RunOutcome::Cancelled(why)
            }
            Broken::Halted(Halt::Deadline) => {
                let mut wire =
                    Wire::new(Provider::Timeout, "the run's deadline passed before the model had answered");
                wire.effect = effect;
                let last = run.last_failure.get_mut().unwrap_or_else(PoisonError::into_inner);
                wire.causes.extend(last.take());
                self.failed(turn, run, wire).await
            }
            Broken::Asked(unanswered) => {
                let mut wire = unanswered.wire;
                wire.effect = wire.effect.max(effect);
                match policy(unanswered.code, wire.effect).runner {
                    RunnerVerdict::Takeover => self.taken_over(turn, run, wire).await,
                    RunnerVerdict::Surface
                    | RunnerVerdict::Stop
                    | RunnerVerdict::Wait
                    | RunnerVerdict::Repair
                    | RunnerVerdict::Retry => match unanswered.code {
                        Code::Cancelled(why) => RunOutcome::Cancelled(why),
                        Code::Coordination(_)
                        | Code::Local(_)
                        | Code::Request(_)
                        | Code::Provider(_)
                        | Code::Delivery(_) => self.failed(turn, run, wire).await,
                    },
                }
            }
            Broken::Failed(mut wire) => {
                wire.effect = wire.effect.max(effect);
                self.failed(turn, run, wire).await
            }
            Broken::Attempt(error) => {
                let mut wire = error.wire();
                wire.effect = effect;
                // Before the user's message is written nothing was begun: a lock error is a lock error.
                let begun = run.message_kept;
                match policy(error.code(), effect).runner {
                    RunnerVerdict::Takeover if begun => self.taken_over(turn, run, wire).await,
                    RunnerVerdict::Takeover
                    | RunnerVerdict::Surface
                    | RunnerVerdict::Stop
                    | RunnerVerdict::Wait
                    | RunnerVerdict::Repair
                    | RunnerVerdict::Retry => self.failed(turn, run, wire).await,
                }
            }
        }
    }

    async fn taken_over(&self, turn: &Turn, run: &mut Run<'_>, wire: Wire) -> RunOutcome {
        if turn.may_requeue && !run.had_effect {
            return RunOutcome::Requeue(wire);
        }
        let reply = run.paid_text();
        let (parked, parked_id) = self.park(turn, run, "superseded").await;
        RunOutcome::Superseded(Superseded { parked, parked_id, reply, wire })
    }

    async fn failed(&self, turn: &Turn, run: &mut Run<'_>, mut wire: Wire) -> RunOutcome {
        if let Some(error) = run.cleanup_error.take() {
            beside(&mut wire, error.code(), &error.to_string());
        }
        let (parked, _) = self.park(turn, run, "failed").await;
        RunOutcome::Failed(Failure { wire, message_kept: run.message_kept, parked })
    }

    /// Parks what was paid for and is not in the transcript. A failure to park is logged; the outcome carries the text.
    async fn park(
        &self,
        turn: &Turn,
        run: &mut Run<'_>,
        reason: &str,
    ) -> (Option<std::path::PathBuf>, Option<String>) {
        let Some(text) = run.paid_text() else { return (None, None) };
        let paid = Paid {
            run_id: turn.run_id.clone(),
            session_key: turn.session_key.clone(),
            idempotency_key: turn.key().to_owned(),
            reason: reason.to_owned(),
            text,
            messages: std::mem::take(&mut run.unwritten),
        };
        match parked::park(&self.locks, &turn.transcript, paid, self.clock.wall()).await {
            Ok((path, id)) => (Some(path), Some(id)),
            Err(error) => {
                tracing::error!(
                    run = turn.run_id,
                    error = &error as &dyn std::error::Error,
                    "a reply could not be parked; it is in the run's outcome only"
                );
                (None, None)
            }
        }
    }
}

impl std::fmt::Debug for Runner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runner").field("durability", &self.durability).finish_non_exhaustive()
    }
}

/// Completes a while after the run was stopped or its deadline passed: the steps notice themselves, and this is for those
/// that do not get to it.
async fn hard_end(stop: &Stop, turn: &Turn, clock: &dyn Clock) -> Halt {
    let halt = Halt::of(stop, turn.deadline, clock).await;
    clock.sleep_until(clock.now() + GRACE).await;
    halt
}

fn word(outcome: &RunOutcome) -> &'static str {
    match outcome {
        RunOutcome::Replied(_) => "replied",
        RunOutcome::Superseded(_) => "superseded",
        RunOutcome::Requeue(_) => "requeue",
        RunOutcome::Failed(_) => "failed",
        RunOutcome::Cancelled(Cancelled::User | Cancelled::ClientGone | Cancelled::Shutdown) => "cancelled",
    }
}
