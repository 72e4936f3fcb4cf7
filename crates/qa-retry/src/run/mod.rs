//! A run: scenarios one after the other against one gateway, with one budget of retries.

mod act;
mod answers;
mod attempt_error;
mod caller;
mod check;
mod expect;
mod judge;
mod progress;
mod scenario;
mod state;
mod wait;

pub use progress::Progress;

use std::{
    fmt,
    future::{Future, pending},
    pin::{Pin, pin},
    time::{Duration, UNIX_EPOCH},
};

use moorline_retry::{Budget, Clock, Schedule, ScheduleError};
use moorline_taxonomy::{Local, Mark};
use tokio::sync::watch;

use crate::{
    Contention, Gateway, Report, Scenario,
    report::{Facts, ScenarioReport},
};

/// The waits before the retries of one step, in seconds. A lock is held for seconds; what lasts longer is a finding.
const DELAYS: [u64; 3] = [1, 3, 5];

/// Retries that a run may spend when its host says nothing else. Contention that needs more is not an accident.
const RETRIES: u32 = 20;

/// The longest id: session keys hold it, and they become file names.
const LONGEST_ID: usize = 64;

/// A run of scenarios.
///
/// # Cancellation
/// [`Run::cancelled_by`] ends the run with a report of what was done. Dropping the future of [`Run::run`] ends it without
/// one. Either way the call in flight is dropped; what it did at the gateway is done.
pub struct Run<'a> {
    setup: Setup<'a>,
    // Apart from the rest: it cannot be shared between threads, and the rest is.
    cancelled: Pin<Box<dyn Future<Output = ()> + Send + 'a>>,
}

/// What every scenario of a run shares.
struct Setup<'a> {
    id: String,
    gateway: &'a dyn Gateway,
    clock: &'a dyn Clock,
    contention: Option<&'a dyn Contention>,
    schedule: Schedule,
    retries: u32,
    observe: Box<dyn Fn(&Progress<'_>) + Send + Sync + 'a>,
}

/// A run that cannot be.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The id cannot be a part of a session key.
    #[error(
        "{id:?} cannot be the id of a run: 1 to 64 characters of A-Z a-z 0-9 - and _ are, such as a ULID"
    )]
    Id {
        /// The id.
        id: String,
        /// Carries the code.
        #[source]
        mark: Mark,
    },
    /// The schedule was refused.
    #[error("the delays between attempts make no schedule")]
    Schedule(#[from] ScheduleError),
}

impl<'a> Run<'a> {
    /// A run that can inject no contention, tells nobody of its progress, and is not cancelled.
    ///
    /// `id` stands for `{run}` in scenarios and is a part of every idempotency key, so it must be new for each run
    /// against a gateway: with an old one the gateway would give the old answers.
    ///
    /// # Errors
    /// An id that cannot be a part of a session key.
    pub fn new(
        id: impl Into<String>,
        gateway: &'a dyn Gateway,
        clock: &'a dyn Clock,
    ) -> Result<Self, RunError> {
        let id = id.into();
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if id.is_empty() || id.len() > LONGEST_ID || !id.chars().all(fits) {
            return Err(RunError::Id { id, mark: Mark::new(Local::Config) });
        }
        let setup = Setup {
            id,
            gateway,
            clock,
            contention: None,
            schedule: Schedule::fixed(DELAYS.map(Duration::from_secs))?,
            retries: RETRIES,
            observe: Box::new(|_| {}),
        };
        Ok(Self { setup, cancelled: Box::pin(pending()) })
    }

    /// How `contention` steps hold locks. Without it they fail.
    #[must_use]
    pub fn contention(mut self, contention: &'a dyn Contention) -> Self {
        self.setup.contention = Some(contention);
        self
    }

    /// How many retries the whole run may make; 20 if not stated. 0 is none.
    #[must_use]
    pub fn retries(mut self, retries: u32) -> Self {
        self.setup.retries = retries;
        self
    }

    /// Tells `observe` what happens. It is called from within the run, so it must not block.
    #[must_use]
    pub fn observed_by(mut self, observe: impl Fn(&Progress<'_>) + Send + Sync + 'a) -> Self {
        self.setup.observe = Box::new(observe);
        self
    }

    /// Ends the run when `cancelled` completes.
    #[must_use]
    pub fn cancelled_by(mut self, cancelled: impl Future<Output = ()> + Send + 'a) -> Self {
        self.cancelled = Box::pin(cancelled);
        self
    }

    /// Runs the scenarios in order. A scenario that fails ends itself and not the others.
    pub async fn run(self, scenarios: &[Scenario]) -> Report {
        let Self { setup, cancelled } = self;
        let began = setup.clock.now();
        let started_at = setup.clock.wall().duration_since(UNIX_EPOCH).unwrap_or_default();
        let reports = until_cancelled(cancelled, |cancelled| setup.all(scenarios, cancelled)).await;
        let facts = Facts {
            run_id: setup.id.clone(),
            started_at_ms: millis(started_at),
            duration_ms: millis(setup.clock.now().saturating_duration_since(began)),
            retry_budget: setup.retries,
        };
        Report::new(facts, reports)
    }
}

impl Setup<'_> {
    async fn all(&self, scenarios: &[Scenario], cancelled: watch::Receiver<bool>) -> Vec<ScenarioReport> {
        let budget = Budget::total(self.retries);
        let mut reports = Vec::with_capacity(scenarios.len());
        for (index, scenario) in scenarios.iter().enumerate() {
            (self.observe)(&Progress::ScenarioBegins { number: index + 1, of: scenarios.len(), scenario });
            let report = self.scenario(index + 1, scenario, &budget, cancelled.clone()).await;
            (self.observe)(&Progress::ScenarioEnds { report: &report });
            reports.push(report);
        }
        reports
    }
}

/// Runs what `make` makes to its end, and tells it when `cancelled` completes. One future can be awaited in one place
/// only, and a run waits in many.
async fn until_cancelled<T, Work: Future<Output = T>>(
    mut cancelled: Pin<Box<dyn Future<Output = ()> + Send + '_>>,
    make: impl FnOnce(watch::Receiver<bool>) -> Work,
) -> T {
    let (tell, told) = watch::channel(false);
    let mut work = pin!(make(told));
    tokio::select! {
        biased;
        () = &mut cancelled => {}
        done = &mut work => return done,
    }
    tell.send_replace(true);
    work.await
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl fmt::Debug for Run<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("id", &self.setup.id)
            .field("retries", &self.setup.retries)
            .finish_non_exhaustive()
    }
}
