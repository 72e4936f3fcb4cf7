//! The announcer: takes results in, answers operators, and carries out what the plan says about one row.
//!
//! `submit` returns when the result is durable, and delivery happens in [`Announcer::drive`], which the host spawns.
//! Every change of a row goes through [`Announcer::advance`]: ask the plan, write, act, and feed the outcome back. The
//! write comes first, always; a crash at any point leaves a row that says at least as much as was done.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError, atomic::AtomicBool},
    time::{Duration, Instant},
};

use moorline_retry::{Clock, Judgement, Retry, Schedule};
use moorline_taxonomy::{AnnounceVerdict, Code, Delivery, Effect, Mark, policy};
use tokio::sync::Notify;
use tracing::Instrument as _;

use crate::{
    AnnounceError, AnnounceFault, Body, Envelope, Event, Evidence, Failure, Filter, Key, Limits, Outbox,
    OutboxError, Prepared, Receipt, Row, Scope, SendError, State, Then, Timestamp, Transport, plan, prepare,
};

/// Bytes of one result. What is larger belongs into a file that the result names.
const LARGEST_RESULT: usize = 4 << 20;
/// Times that a write is tried again after somebody else wrote the row.
const MOST_CONFLICTS: usize = 8;
/// How long a send may take to end after its deadline, before it is dropped.
const GRACE: Duration = Duration::from_secs(1);

/// Delivers results that are kept in an outbox.
///
/// One announcer per outbox. All methods take `&self` and may be called from anywhere while it is driven.
pub struct Announcer {
    pub(crate) outbox: Arc<dyn Outbox>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) limits: Limits,
    /// How store errors that pass are retried.
    store_delays: Schedule,
    /// Wakes the driver: something may be due earlier than it knows.
    pub(crate) changed: Notify,
    pub(crate) driven: AtomicBool,
    /// Held while a result gets its time and its number.
    submitting: tokio::sync::Mutex<()>,
    /// Channels that asked everybody for a pause. Not persisted: after a restart the first answer says it again.
    paused: Mutex<HashMap<String, Instant>>,
}

impl Announcer {
    /// An announcer over the host's outbox, transport and clock.
    #[must_use]
    pub fn new(
        outbox: Arc<dyn Outbox>,
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        limits: Limits,
    ) -> Self {
        let millis = Duration::from_millis;
        let store_delays = Schedule::exponential(millis(50), millis(2000))
            .and_then(|schedule| schedule.jitter(0.2))
            // Constants that are in range; without delays a store error would end at once, which is safe too.
            .map_or_else(|_| Schedule::never(), |schedule| schedule.at_most(8));
        Self {
            outbox,
            transport,
            clock,
            limits,
            store_delays,
            changed: Notify::new(),
            driven: AtomicBool::new(false),
            submitting: tokio::sync::Mutex::default(),
            paused: Mutex::new(HashMap::new()),
        }
    }

    /// Takes a result in. When this returns, the result is durable and will be delivered, or its requester told.
    ///
    /// The same key twice is one announce: the second call finds the first one's row, whatever it says. A result with
    /// nothing to say is settled as silent at once.
    ///
    /// Dropping the future may leave the result kept; submitting it again is safe.
    ///
    /// # Errors
    /// The outbox failed, or the result is over 4 MiB.
    pub async fn submit(&self, key: Key, envelope: Envelope) -> Result<Prepared, AnnounceError> {
        let bytes = match &envelope.body {
            Body::Result(text) => text.len(),
            Body::GaveUp(notice) => notice.result.len(),
        };
        if bytes > LARGEST_RESULT {
            return Err(AnnounceFault::TooLarge { bytes, most: LARGEST_RESULT }.into());
        }
        // Rows go out by their times, so those have to be in the order of the numbers that the store gives.
        let _in_order = self.submitting.lock().await;
        let row = prepare(key, envelope, self.now(), &self.limits);
        let prepared = self.stored("keeping a result", || self.outbox.prepare(&row)).await?;
        let kept = prepared.row();
        tracing::info!(
            seq = kept.seq,
            state = kept.state.as_str(),
            kind = kept.key.kind(),
            new = matches!(prepared, Prepared::New(_)),
            "announce prepared"
        );
        self.changed.notify_one();
        Ok(prepared)
    }

    /// Says that a requester's session is idle: what waited for it is due now.
    ///
    /// # Errors
    /// The outbox failed.
    pub async fn requester_idle(&self, requester: &str) -> Result<(), AnnounceError> {
        let filter = Filter {
            states: vec![State::Prepared, State::Uncertain],
            requester: Some(requester.to_owned()),
            ..Filter::default()
        };
        for row in self.list(&filter).await? {
            self.advance(row, Event::RequesterIdle).await?;
        }
        self.changed.notify_one();
        Ok(())
    }

    /// A receiver says, unasked, how far it got with `key`: the word that comes after a receipt of *accepted*. What it has is
    /// settled at once instead of being looked up; a key that nobody knows, or that is settled, changes nothing.
    ///
    /// # Errors
    /// The outbox failed.
    pub async fn receipt(&self, key: &Key, receipt: Receipt) -> Result<(), AnnounceError> {
        let found = self.stored("finding an announce", || self.outbox.find(key)).await?;
        if let Some(row) = found {
            self.advance(row, Event::Sent(Ok(receipt))).await?;
            self.changed.notify_one();
        }
        Ok(())
    }

    /// The announces that `filter` lets through, by number.
    ///
    /// # Errors
    /// The outbox failed.
    pub async fn list(&self, filter: &Filter) -> Result<Vec<Row>, AnnounceError> {
        self.stored("listing announces", || self.outbox.list(filter)).await
    }

    /// How many announces are in each state that any is in.
    ///
    /// # Errors
    /// The outbox failed.
    pub async fn counts(&self) -> Result<BTreeMap<State, u64>, AnnounceError> {
        self.stored("counting announces", || self.outbox.counts()).await
    }

    /// An operator wants another try of announce `seq` now. A settled one is opened again if it failed; what may have
    /// been seen is looked up before anything is sent.
    ///
    /// # Errors
    /// There is no such announce, it is being sent, or it succeeded; or the outbox failed.
    pub async fn retry(&self, seq: u64) -> Result<Row, AnnounceError> {
        let row = self.operate(seq, Event::Retry).await?;
        self.changed.notify_one();
        Ok(row)
    }

    /// An operator ends announce `seq`. Nobody is told.
    ///
    /// # Errors
    /// There is no such announce, it is being sent, or it has ended; or the outbox failed.
    pub async fn dismiss(&self, seq: u64) -> Result<Row, AnnounceError> {
        self.operate(seq, Event::Dismiss).await
    }

    async fn operate(&self, seq: u64, event: Event) -> Result<Row, AnnounceError> {
        let found = self.stored("reading an announce", || self.outbox.get(seq)).await?;
        let row = found.ok_or(AnnounceFault::NotFound { seq })?;
        let before = row.version;
        let after = self.advance(row, event).await?;
        if after.version != before {
            return Ok(after);
        }
        Err(match after.state {
            State::Sending => AnnounceFault::InFlight { seq, within: self.limits.send_within }.into(),
            State::Prepared
            | State::Uncertain
            | State::Delivered
            | State::Rejected
            | State::Silent
            | State::Expired => AnnounceFault::Settled { seq, state: after.state }.into(),
        })
    }

    /// Carries out what the plan says about `row` after `event`, until it says to wait. Returns the row as it was
    /// written last.
    ///
    /// Dropped while a send is under way, it leaves the row *sending*; the next drive finds it and asks the receiver.
    pub(crate) async fn advance(&self, row: Row, event: Event) -> Result<Row, AnnounceError> {
        let span = tracing::info_span!("moorline.announce", seq = row.seq, kind = row.key.kind());
        self.advance_in_span(row, event).instrument(span).await
    }

    async fn advance_in_span(&self, mut row: Row, mut event: Event) -> Result<Row, AnnounceError> {
        let mut conflicts = 0;
        loop {
            let pause = self.limits.pause(&row, &event);
            let evidence = Evidence { event, pause };
            let step = plan(&row, &evidence, self.now(), &self.limits);
            let Some(next) = step.row else { return Ok(row) };
            let write = || self.outbox.compare_and_set(&next, step.notice.as_ref());
            if !self.stored("writing an announce", write).await? {
                let seq = row.seq;
                let found = self.stored("reading an announce", || self.outbox.get(seq)).await?;
                let Some(newer) = found.filter(|_| conflicts < MOST_CONFLICTS) else { return Ok(row) };
                // A write whose answer was lost is found here as its own success.
                if newer != next {
                    conflicts += 1;
                    row = newer;
                    event = evidence.event;
                    continue;
                }
            }
            report(&row, &next, step.notice.is_some());
            row = next;
            event = match step.then {
                Then::Wait => return Ok(row),
                Then::Send => Event::Sent(self.send(&row).await),
                Then::Ask => Event::LookedUp(self.ask(&row).await),
            };
        }
    }

    async fn send(&self, row: &Row) -> Result<Receipt, Failure> {
        let deadline = self.clock.now() + self.limits.send_within;
        let sent = self.transport.send(&row.envelope, &row.key, deadline);
        let outcome = self.bounded(deadline, sent).await;
        if let Err(failure) = &outcome {
            self.pause_channel(&row.envelope.channel, failure);
        }
        outcome
    }

    async fn ask(&self, row: &Row) -> Result<crate::Lookup, Failure> {
        let deadline = self.clock.now() + self.limits.send_within;
        self.bounded(deadline, self.transport.lookup(&row.key)).await
    }

    /// A call of the transport, ended a little after its deadline. What was dropped may have had an effect.
    async fn bounded<T>(
        &self,
        deadline: Instant,
        call: impl Future<Output = Result<T, SendError>>,
    ) -> Result<T, Failure> {
        let outcome = tokio::select! {
            biased;
            outcome = call => outcome,
            () = self.clock.sleep_until(deadline + GRACE) => {
                Err(SendError::new(Mark::new(Delivery::Uncertain).effect_is(Effect::Possible).caused_by(
                    format!("the transport did not answer within {:?}", self.limits.send_within + GRACE),
                )))
            }
        };
        outcome.map_err(|error| error.failure().clone())
    }

    /// Remembers that a whole channel asked for a pause, so that its other rows do not all hear the same.
    fn pause_channel(&self, channel: &str, failure: &Failure) {
        let everybody = match failure.scope {
            Some(Scope::Bot | Scope::Global) => failure.code == Code::Delivery(Delivery::RateLimited),
            Some(Scope::Chat) | None => false,
        };
        if channel.is_empty() || !everybody {
            return;
        }
        let pause = failure.retry_after.unwrap_or(Duration::from_secs(1)).min(self.limits.longest_stated);
        let until = self.clock.now() + pause;
        let mut paused = self.paused.lock().unwrap_or_else(PoisonError::into_inner);
        let known = paused.entry(channel.to_owned()).or_insert(until);
        *known = until.max(*known);
    }

    /// The channels that are paused at `now`, and when the first of them goes on.
    pub(crate) fn paused_channels(&self, now: Instant) -> (Vec<String>, Option<Instant>) {
        let mut paused = self.paused.lock().unwrap_or_else(PoisonError::into_inner);
        paused.retain(|_, until| *until > now);
        (paused.keys().cloned().collect(), paused.values().min().copied())
    }

    /// A call of the outbox, tried again while its error is one that passes.
    pub(crate) async fn stored<T, Call, Answer>(&self, what: &str, mut call: Call) -> Result<T, AnnounceError>
    where
        Call: FnMut() -> Answer,
        Answer: Future<Output = Result<T, OutboxError>>,
    {
        let judge = |error: &OutboxError| match policy(error.code(), Effect::None).announce {
            AnnounceVerdict::Retry => Judgement::Retry { after: None },
            AnnounceVerdict::Permanent
            | AnnounceVerdict::Reconcile
            | AnnounceVerdict::Stop
            | AnnounceVerdict::None => Judgement::Stop,
        };
        let outcome = Retry::new(what, &self.store_delays, self.clock.as_ref()).run(|_| call(), judge).await;
        outcome.map_err(|gave_up| gave_up.into_error().into())
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from(self.clock.wall())
    }
}

impl std::fmt::Debug for Announcer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Announcer").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// Leaves a trace of a transition: numbers and words, never what is sent or to whom.
fn report(before: &Row, after: &Row, gives_up: bool) {
    let cause = after.history.last().and_then(|record| record.cause.as_ref());
    let code = cause.map(|cause| cause.code.to_string());
    let (from, to) = (before.state.as_str(), after.state.as_str());
    let wait_ms = u64::try_from(after.due_at.since(after.updated_at).as_millis()).unwrap_or(u64::MAX);
    if gives_up {
        tracing::warn!(from, to, attempt = after.sends, code, "announce given up; its requester is told");
    } else {
        tracing::info!(from, to, attempt = after.sends, lookups = after.lookups, wait_ms, code, "announce");
    }
}
