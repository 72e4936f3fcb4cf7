//! One run of a chain: it performs what others decide.
//!
//! [`preflight`] says whom to call, [`decide`] what a failure means, the store remembers what is left alone; here it is
//! only done in order and written down. The option not taken is one function that decides while it calls: it could not
//! be tested without a store, a clock and candidates.
//!
//! What must stay true: every candidate that was passed has a record, also one that was not called; and nothing is
//! awaited but the call, the store and the clock.

use std::{
    future::Future,
    time::{Duration, Instant, SystemTime},
};

use crate::{
    attempt::Attempt,
    candidate::{Candidate, Needs},
    chain::{Chain, Served, said},
    chain_error::{ChainError, Report},
    cooldown::{Cooldown, Key, Why},
    decide::{Decision, State, StopReason, decide},
    failure::CallError,
    preflight::{Preflight, Skip, preflight},
    record::{Event, Record},
    store::LONGEST_LEASE,
    verdict::Verdict,
};

/// One run.
pub(crate) struct Run<'c, F> {
    chain: &'c Chain,
    needs: &'c Needs,
    call: F,
    begun: Instant,
    calls: u32,
    records: Vec<Record>,
    /// After a candidate was too small: only those that fit better.
    larger_than: Option<Candidate>,
}

impl<'c, F> Run<'c, F> {
    pub(crate) fn new(chain: &'c Chain, needs: &'c Needs, call: F) -> Self {
        let begun = chain.clock.now();
        Self { chain, needs, call, begun, calls: 0, records: Vec::new(), larger_than: None }
    }
}

/// What came of one candidate.
enum Outcome<T> {
    Served(T),
    Failed,
    Ended(ChainError),
}

impl<T, F, Answer> Run<'_, F>
where
    T: Send,
    F: FnMut(Candidate, Attempt) -> Answer + Send,
    Answer: Future<Output = Result<T, CallError>> + Send,
{
    pub(crate) async fn all(mut self) -> Result<Served<T>, ChainError> {
        let candidates = self.chain.candidates.clone();
        for (at, candidate) in candidates.iter().enumerate() {
            if self.is_over() {
                break;
            }
            if self.larger_than.as_ref().is_some_and(|small| !is_larger(candidate, small)) {
                self.skip(candidate, Skip::NotLarger, None);
                continue;
            }
            let now = self.chain.clock.wall();
            let (cooldowns, store_error) = self.chain.cooldowns(now).await;
            let probe = match preflight(candidate, self.needs, &cooldowns, now) {
                Preflight::Ready => None,
                Preflight::Probe(key) => match self.claim(&key, now).await {
                    Some(until) => {
                        self.skip(candidate, Skip::Probed { until }, store_error);
                        continue;
                    }
                    None => Some(key),
                },
                Preflight::Skip(skip) => {
                    self.skip(candidate, skip, store_error);
                    continue;
                }
            };
            self.leads_to(candidate);
            let outcome = self.one(candidate, &candidates[at + 1..], &cooldowns, store_error).await;
            if let Some(key) = probe {
                // A lease that cannot be given back ends by itself.
                let _ended_later = self.chain.store.release(&key).await;
            }
            match outcome {
                Outcome::Served(value) => {
                    return Ok(Served { value, candidate: candidate.clone(), records: self.records });
                }
                Outcome::Failed => {}
                Outcome::Ended(error) => return Err(error),
            }
        }
        Err(self.nobody().await)
    }

    /// Calls one candidate, again where that is decided.
    async fn one(
        &mut self,
        candidate: &Candidate,
        rest: &[Candidate],
        cooldowns: &[Cooldown],
        mut store_error: Option<String>,
    ) -> Outcome<T> {
        let mut tries = 0;
        let mut backoff = self.chain.backoff.delays();
        self.chain.budget.count_call();
        loop {
            tries += 1;
            self.calls += 1;
            let attempt = Attempt::new(self.calls);
            let started = self.chain.clock.now();
            let answer = (self.call)(candidate.clone(), attempt.clone()).await;
            let took = self.chain.clock.now().duration_since(started);
            let error = match answer {
                Ok(value) => {
                    let failed = self.recovered(candidate, cooldowns).await;
                    let mut record = Record::new(candidate, Event::Served);
                    record.took = took;
                    record.cost = attempt.cost();
                    record.store_error = store_error.or(failed);
                    self.keep(record);
                    return Outcome::Served(value);
                }
                Err(error) => error,
            };
            let now = self.chain.clock.wall();
            // Others have been calling meanwhile: what is well is asked anew.
            let (cooldowns, unread) = self.chain.cooldowns(now).await;
            store_error = store_error.or(unread);
            let Some(verdict) = error.verdict().cloned() else {
                let decision = Decision::Stop(StopReason::Class);
                self.failed(candidate, error, decision, took, &attempt, store_error);
                return Outcome::Ended(self.stopped(None));
            };
            let state = State {
                tries,
                streamed: attempt.is_streamed(),
                others_ready: self.ready(rest, &cooldowns, now, |_| true),
                larger_ready: self.ready(rest, &cooldowns, now, |other| is_larger(other, candidate)),
                failover_on_content_policy: self.needs.failover_on_content_policy,
            };
            let decision =
                self.affordable(decide(&verdict, &state, &self.chain.limits, now), &verdict, &state, now);
            if let Decision::Next { cool: true } = decision
                && let Some(cooldown) = Cooldown::after(&verdict, candidate, &cooldowns, now)
                && let Err(failed) = self.chain.store.merge(&cooldown).await
            {
                store_error = store_error.or(Some(said(&failed)));
            }
            self.failed(candidate, error, decision, took, &attempt, store_error.take());
            match decision {
                Decision::Again { wait } => {
                    let wait = wait.or_else(|| backoff.next()).unwrap_or(Duration::ZERO);
                    if let Some(record) = self.records.last_mut() {
                        record.wait = wait;
                        record.to = Some(candidate.clone());
                    }
                    self.chain.clock.sleep_until(self.chain.clock.now() + wait).await;
                }
                Decision::Next { .. } => return Outcome::Failed,
                Decision::Larger => {
                    self.larger_than = Some(candidate.clone());
                    return Outcome::Failed;
                }
                Decision::Stop(reason) => return Outcome::Ended(self.stopped(Some(reason))),
            }
        }
    }

    /// Takes a second try from the budget and the limits; without one the next candidate comes instead.
    fn affordable(&self, decision: Decision, verdict: &Verdict, state: &State, now: SystemTime) -> Decision {
        let Decision::Again { wait } = decision else { return decision };
        let clock_now = self.chain.clock.now();
        let ends_in_time = self.chain.limits.deadline.is_none_or(|deadline| {
            clock_now.duration_since(self.begun) + wait.unwrap_or(Duration::ZERO) < deadline
        });
        if ends_in_time && self.calls < self.chain.limits.tries && self.chain.budget.take(clock_now) {
            return decision;
        }
        let spent = State { tries: u32::MAX, ..*state };
        decide(verdict, &spent, &self.chain.limits, now)
    }

    fn ready(
        &self,
        others: &[Candidate],
        cooldowns: &[Cooldown],
        now: SystemTime,
        fits: impl Fn(&Candidate) -> bool,
    ) -> bool {
        others.iter().filter(|other| fits(other)).any(|other| {
            match preflight(other, self.needs, cooldowns, now) {
                Preflight::Ready | Preflight::Probe(_) => true,
                Preflight::Skip(_) => false,
            }
        })
    }

    /// `None` when the probe is ours; otherwise when to come back.
    async fn claim(&self, key: &Key, now: SystemTime) -> Option<SystemTime> {
        let lease_end = now + self.chain.limits.probe_lease.min(LONGEST_LEASE);
        match self.chain.store.claim(key, now, lease_end).await {
            Ok(true) => None,
            Ok(false) => Some(lease_end),
            // Without a store nobody can be told; one probe too many is the smaller harm.
            Err(_) => None,
        }
    }

    /// A success disproves every cooldown that covers the candidate and has ended.
    async fn recovered(&self, candidate: &Candidate, cooldowns: &[Cooldown]) -> Option<String> {
        let mut failed = None;
        for cooldown in cooldowns.iter().filter(|cooldown| cooldown.key.covers(candidate)) {
            if let Err(error) = self.chain.store.clear(&cooldown.key, cooldown.why, cooldown.until).await {
                failed = Some(said(&error));
            }
        }
        failed
    }

    fn keep(&mut self, record: Record) {
        if let Some(observer) = &self.chain.observer {
            observer(&record);
        }
        self.records.push(record);
    }

    fn skip(&mut self, candidate: &Candidate, skip: Skip, store_error: Option<String>) {
        let mut record = Record::new(candidate, Event::Skipped(skip));
        record.store_error = store_error;
        tracing::debug!(target: "moorline.candidate", %candidate, record = %record, "candidate skipped");
        self.keep(record);
    }

    fn failed(
        &mut self,
        candidate: &Candidate,
        error: CallError,
        decision: Decision,
        took: Duration,
        attempt: &Attempt,
        store_error: Option<String>,
    ) {
        let mut record = Record::new(candidate, Event::Failed { error, decision });
        record.took = took;
        record.cost = attempt.cost();
        record.store_error = store_error;
        tracing::info!(target: "moorline.candidate", attempt = attempt.number(), record = %record, "call failed");
        self.keep(record);
    }

    /// Writes into the last failure whom the chain went on to.
    fn leads_to(&mut self, candidate: &Candidate) {
        let last = self.records.iter_mut().rev().find(|record| record.error().is_some());
        if let Some(last) = last.filter(|last| last.to.is_none()) {
            last.to = Some(candidate.clone());
        }
    }

    fn is_over(&self) -> bool {
        let late = self
            .chain
            .limits
            .deadline
            .is_some_and(|deadline| self.chain.clock.now().duration_since(self.begun) >= deadline);
        late || self.calls >= self.chain.limits.tries
    }

    fn stopped(&mut self, reason: Option<StopReason>) -> ChainError {
        ChainError::Stopped { reason, report: Report::of(std::mem::take(&mut self.records)) }
    }

    /// Nobody served. Whether that is a matter of time is asked of the store once more, since the calls of this run have
    /// written into it.
    async fn nobody(self) -> ChainError {
        let now = self.chain.clock.wall();
        let (cooldowns, _) = self.chain.cooldowns(now).await;
        let mut earliest: Option<SystemTime> = None;
        let mut only_time_is_missing = !self.chain.candidates.is_empty();
        for candidate in &self.chain.candidates {
            match preflight(candidate, self.needs, &cooldowns, now) {
                Preflight::Skip(Skip::Cooling { until, why }) => {
                    // Whoever just failed for money or access has to be told, not parked.
                    let told = self.records.iter().any(|record| {
                        record.candidate == *candidate && record.is_consumed() && why != Why::RateLimit
                    });
                    only_time_is_missing &= !told;
                    earliest = Some(earliest.map_or(until, |known| known.min(until)));
                }
                Preflight::Skip(
                    Skip::Window { .. } | Skip::Size { .. } | Skip::Lacks(_) | Skip::NotLarger,
                ) => {}
                Preflight::Skip(Skip::Probed { .. }) | Preflight::Ready | Preflight::Probe(_) => {
                    let probed = self.records.iter().rev().find_map(|record| match &record.event {
                        Event::Skipped(Skip::Probed { until }) if record.candidate == *candidate => {
                            Some(*until)
                        }
                        Event::Skipped(_) | Event::Failed { .. } | Event::Served => None,
                    });
                    match probed {
                        Some(until) => earliest = Some(earliest.map_or(until, |known| known.min(until))),
                        None => only_time_is_missing = false,
                    }
                }
            }
        }
        let report = Report::of(self.records);
        match earliest.filter(|_| only_time_is_missing) {
            Some(until) => ChainError::AllCooling { until, report },
            None => ChainError::Exhausted { report },
        }
    }
}

/// Whether a candidate takes more than another: a larger window, more bytes, or more tokens a minute. What is unknown is
/// not larger.
fn is_larger(candidate: &Candidate, small: &Candidate) -> bool {
    let more = |one: Option<u64>, other: Option<u64>| match (one, other) {
        (Some(one), Some(other)) => one > other,
        (Some(_) | None, None) | (None, Some(_)) => false,
    };
    more(candidate.window(), small.window())
        || more(candidate.max_request_bytes(), small.max_request_bytes())
        || more(candidate.tokens_per_minute(), small.tokens_per_minute())
}
