//! Asking the models: the failover chain does the walking, this file makes its calls.
//!
//! The decision: which candidate, how often and after which wait is the chain's alone ([`moorline_failover::Chain`]); it reads
//! the one policy table. What is added here is what only the runner knows: whether the user has seen text, and the prompt
//! cache. What must stay true: an error that did not come from a provider ends the walk, since no candidate is to blame.

use std::{
    error::Error,
    sync::{Arc, Mutex, PoisonError},
};

use moorline_failover::{
    Attempt, CallError, Chain, ChainError, CooldownStore, Limits, MemoryStore, Needs, Provenance,
    ProviderFailure, Record, Retry, Scope, Signal, Stated, StopReason, classify,
};
use moorline_retry::{Budget, Clock, Schedule};
use moorline_taxonomy::{Cause, Code, Effect, Local, Provider, RunnerVerdict, Wire, WireCode, policy};

use super::{
    model::{Candidate, Model, ModelError, ModelReply, ModelRequest, StreamSink},
    prompt_cache::{CacheLedger, PromptCache},
    turn::Turn,
};

/// What failed calls cost and teach, shared by all runs of a runner.
#[derive(Clone)]
pub(super) struct Failover {
    pub(super) store: Arc<dyn CooldownStore>,
    pub(super) budget: Budget,
    pub(super) limits: Limits,
    pub(super) backoff: Schedule,
    /// Hears each step of the chain, with the run's id.
    pub(super) observer: Option<Observer>,
}

type Observer = Arc<dyn Fn(&str, &Record) + Send + Sync>;

impl Default for Failover {
    fn default() -> Self {
        let backoff =
            Schedule::exponential(std::time::Duration::from_millis(500), std::time::Duration::from_secs(8))
                .unwrap_or_else(|_| Schedule::never());
        Self {
            store: Arc::new(MemoryStore::new()),
            budget: Budget::unlimited(),
            limits: Limits::default(),
            backoff,
            observer: None,
        }
    }
}

/// An answer, and who gave it.
pub(super) struct Answer {
    pub(super) reply: ModelReply,
    pub(super) candidate: Candidate,
}

/// Nobody answered.
pub(super) struct Unanswered {
    pub(super) wire: Wire,
    pub(super) code: Code,
    /// The user has seen text.
    pub(super) streamed: bool,
}

/// Tells the chain when the user has seen anything.
struct Watched<'a> {
    sink: &'a mut dyn StreamSink,
    attempt: &'a Attempt,
}

impl StreamSink for Watched<'_> {
    fn text(&mut self, delta: &str) {
        if !delta.is_empty() {
            self.attempt.mark_streamed();
        }
        self.sink.text(delta);
    }
}

/// The prompt cache of a run, where the host gave one.
#[derive(Clone, Copy)]
pub(super) struct Cached<'a> {
    pub(super) cache: &'a dyn PromptCache,
    pub(super) ledger: &'a CacheLedger,
}

/// One asking.
pub(super) struct Asking<'a> {
    pub(super) failover: &'a Failover,
    pub(super) model: &'a dyn Model,
    pub(super) turn: &'a Turn,
    pub(super) cached: Option<Cached<'a>>,
    pub(super) clock: &'a Arc<dyn Clock>,
    /// The last call that failed, for whoever ends the asking from outside.
    pub(super) last: &'a Mutex<Option<Cause>>,
}

/// Asks the turn's candidates until one answers.
pub(super) async fn ask(
    asking: Asking<'_>,
    request: ModelRequest,
    sink: &mut dyn StreamSink,
) -> Result<Answer, Unanswered> {
    let Asking { failover, model, turn, cached, clock, last } = asking;
    let candidates = &turn.candidates;
    let limits = Limits {
        deadline: turn.deadline.map(|deadline| deadline.saturating_duration_since(clock.now())),
        ..failover.limits.clone()
    };
    let mut chain = Chain::new(candidates.iter().map(Candidate::for_chain), Arc::clone(clock))
        .with_limits(limits)
        .with_backoff(failover.backoff.clone())
        .with_budget(failover.budget.clone())
        .with_store(Arc::clone(&failover.store));
    if let Some(observer) = failover.observer.clone() {
        let run_id = turn.run_id.clone();
        chain = chain.observed_by(move |record| observer(&run_id, record));
    }
    let needs = Needs { tokens: estimate(&request), ..Needs::default() };
    // One call at a time has the sink; the chain never makes two at once.
    let sink = tokio::sync::Mutex::new(sink);
    let request = &request;
    let sink = &sink;
    let served = chain
        .run(&needs, |candidate, attempt| async move {
            let candidate = of_turn(turn, &candidate);
            let cached_content = candidate.cached_content.clone();
            let mut request =
                ModelRequest { candidate: candidate.clone(), cached_content, ..request.clone() };
            if let (Some(cached), None) = (cached, &request.cached_content) {
                request.cached_content = prepared(cached, &request).await?;
            }
            let mut sink = sink.lock().await;
            let mut watched = Watched { sink: &mut **sink, attempt: &attempt };
            match model.call(&request, &mut watched).await {
                Ok(reply) if reply.text.is_empty() && reply.tool_calls.is_empty() => {
                    let empty = ModelError::new(
                        Provider::EmptyResponse,
                        "the model answered without text or tool calls",
                    );
                    Err(call_error(empty, &candidate))
                }
                Ok(reply) => {
                    attempt.spent(reply.usage.input + reply.usage.output);
                    Ok(reply)
                }
                Err(error) => {
                    let cause = cause(error.mark().code(), &error.to_string());
                    *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(cause);
                    Err(call_error(error, &candidate))
                }
            }
        })
        .await;
    match served {
        Ok(served) => Ok(Answer { reply: served.value, candidate: of_turn(turn, &served.candidate) }),
        Err(error) => Err(unanswered(&error, &**clock)),
    }
}

/// The candidate as the turn names it.
fn of_turn(turn: &Turn, candidate: &moorline_failover::Candidate) -> Candidate {
    let named = turn.candidates.iter().find(|named| named.for_chain() == *candidate);
    named.cloned().unwrap_or_else(|| Candidate::new(candidate.provider(), candidate.model()))
}

/// The name of a provider-side cache for this request. What goes wrong is ignored, unless it says that this run may not
/// write: that the turn must know.
async fn prepared(cached: Cached<'_>, request: &ModelRequest) -> Result<Option<String>, CallError> {
    match cached.cache.prepare(request, cached.ledger).await {
        Ok(name) => Ok(name),
        Err(error) if error.must_propagate() => Err(CallError::local(error)),
        Err(error) => {
            tracing::warn!(error = &error as &dyn Error, "the prompt cache is not used for this call");
            Ok(None)
        }
    }
}

/// A model's error as the chain takes it. A provider's class was set at the call site, so it is evidence enough.
fn call_error(error: ModelError, candidate: &Candidate) -> CallError {
    let error = match error.into_call() {
        Ok(call) => return call,
        Err(error) => error,
    };
    let (code, after) = (error.mark().code(), error.mark().retry_after());
    match code {
        Code::Provider(_) | Code::Request(_) => {
            let signal = Signal { provenance: Provenance::Ours(code), ..Signal::new() };
            let signal = signal.from_provider(&candidate.provider);
            let mut verdict = classify(&signal);
            verdict.scope = scope(code);
            verdict.stated = after.map(Stated::After).or(verdict.stated);
            // A class that was stated says nothing of what the provider allows; the policy table does.
            verdict.retry = match (policy(code, Effect::None).runner, after) {
                (RunnerVerdict::Retry | RunnerVerdict::Wait, Some(after)) => Retry::After(after),
                (RunnerVerdict::Retry | RunnerVerdict::Wait, None) => Retry::Backoff,
                (
                    RunnerVerdict::Surface
                    | RunnerVerdict::Takeover
                    | RunnerVerdict::Stop
                    | RunnerVerdict::Repair,
                    _,
                ) => Retry::Forbidden,
            };
            ProviderFailure::received_as(&signal, verdict, error)
        }
        Code::Coordination(_) | Code::Cancelled(_) | Code::Local(_) | Code::Delivery(_) => {
            CallError::local(error)
        }
    }
}

/// What is unwell where only the class is known: the smallest thing that it can be.
fn scope(code: Code) -> Scope {
    match code {
        Code::Provider(Provider::Billing | Provider::Auth | Provider::AuthPermanent) => Scope::Credential,
        Code::Provider(
            Provider::RateLimit
            | Provider::Overloaded
            | Provider::ServerError
            | Provider::Timeout
            | Provider::ModelNotFound
            | Provider::EmptyResponse
            | Provider::Unknown,
        ) => Scope::Model,
        Code::Provider(Provider::SessionExpired)
        | Code::Request(_)
        | Code::Coordination(_)
        | Code::Cancelled(_)
        | Code::Local(_)
        | Code::Delivery(_) => Scope::Request,
    }
}

fn unanswered(error: &ChainError, clock: &dyn Clock) -> Unanswered {
    let mut wire = Wire::of(error);
    match error {
        ChainError::AllCooling { until, .. } => {
            let left = until.duration_since(clock.wall()).unwrap_or_default();
            wire.retry_after_ms = u64::try_from(left.as_millis()).ok();
        }
        ChainError::Stopped { .. } | ChainError::Exhausted { .. } => {
            // What the last provider stated is worth more to a caller than nothing.
            let stated = error.last_error().and_then(|error| moorline_taxonomy::Mark::find(error));
            let millis = stated.and_then(moorline_taxonomy::Mark::retry_after).map(|after| after.as_millis());
            wire.retry_after_ms =
                wire.retry_after_ms.or(millis.and_then(|millis| u64::try_from(millis).ok()));
        }
    }
    // The chain says how it ended; what ended it says why.
    if let Some(last) = error.last_error() {
        wire.message = clean(&format!("{}: {}", wire.message, innermost(last)));
    }
    let streamed = matches!(error, ChainError::Stopped { reason: Some(StopReason::Streamed), .. });
    Unanswered { wire, code: error.code(), streamed }
}

/// What the call site said, beneath the layers that only sort it.
fn innermost(error: &CallError) -> String {
    let mut said = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        if cause.is::<ModelError>() {
            return cause.to_string();
        }
        said = cause.to_string();
        next = cause.source();
    }
    said
}

/// A rough count of tokens: four bytes each. It only keeps requests from windows that are far too small.
fn estimate(request: &ModelRequest) -> u64 {
    let said: usize = request.messages.iter().map(|message| message.text().len()).sum();
    ((said + request.system.len()) / 4) as u64
}

/// Adds what went wrong beside the primary error.
pub(super) fn beside(wire: &mut Wire, code: Code, message: &str) {
    wire.causes.push(cause(code, message));
}

fn cause(code: Code, message: &str) -> Cause {
    Cause { code: Some(WireCode::Known(code)), message: clean(message) }
}

/// A message as it may go on the wire: without secrets, and bounded.
fn clean(message: &str) -> String {
    // The wire form's own constructor does both.
    Wire::new(Local::Unclassified, message).message
}
