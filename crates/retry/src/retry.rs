//! The one retry driver.
//!
//! Two decisions. An attempt in flight is never cut: a call dropped half-way may have had an effect that nobody knows
//! of, so deadline and cancellation end *waits*, and the attempt is told the deadline to bound itself. And the first
//! attempt is always made: thus there is always a last error to give back, and no error has to be invented for
//! "nothing was tried".
//!
//! What must stay true: the next wait is decided before it begins. A delay that would pass the deadline is not slept,
//! and a stated delay that is too long is not shortened; knocking earlier than asked lengthens most limits.

use std::{
    error::Error,
    fmt,
    future::{Future, pending},
    pin::Pin,
    time::{Duration, Instant},
};

use moorline_taxonomy::{Code, Local, Mark};

use crate::{Budget, Clock, Delays, GaveUp, Judgement, Schedule, Why};

/// How long a stated delay may be when the caller says nothing else.
const LONGEST_STATED: Duration = Duration::from_secs(300);

/// One attempt, as the operation sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// 1 for the first.
    pub number: u32,
    /// When the caller loses interest, on the clock of the driver. The operation bounds itself by it.
    pub deadline: Option<Instant>,
}

/// How to retry one operation; [`Retry::run`] does it.
pub struct Retry<'a> {
    what: &'a str,
    schedule: &'a Schedule,
    clock: &'a dyn Clock,
    budget: Budget,
    deadline: Option<Instant>,
    longest_stated: Duration,
    cancelled: Pin<Box<dyn Future<Output = ()> + Send + 'a>>,
}

impl<'a> Retry<'a> {
    /// Retries after the delays of `schedule`, without deadline, budget or cancellation. `what` names the operation
    /// in the trace.
    #[must_use]
    pub fn new(what: &'a str, schedule: &'a Schedule, clock: &'a dyn Clock) -> Self {
        Self {
            what,
            schedule,
            clock,
            budget: Budget::unlimited(),
            deadline: None,
            longest_stated: LONGEST_STATED,
            cancelled: Box::pin(pending()),
        }
    }

    /// Every retry takes one from `budget`.
    #[must_use]
    pub fn budget(mut self, budget: &Budget) -> Self {
        self.budget = budget.clone();
        self
    }

    /// No attempt starts after `deadline`, and no wait goes on past it.
    #[must_use]
    pub fn deadline(mut self, deadline: Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Waits no longer than `longest` for a delay that the failed side stated (300 s unless set); if it asks for
    /// more, the retry ends at once with [`Why::StatedTooLong`].
    #[must_use]
    pub fn longest_stated(mut self, longest: Duration) -> Self {
        self.longest_stated = longest;
        self
    }

    /// Ends the current wait, and with it the retry, when `cancelled` completes.
    #[must_use]
    pub fn cancelled_by(mut self, cancelled: impl Future<Output = ()> + Send + 'a) -> Self {
        self.cancelled = Box::pin(cancelled);
        self
    }

    /// Calls `operation` until it succeeds, or until `judge` or a limit says that there is no further attempt.
    ///
    /// `judge` is a pure function of the error. Dropping the future drops the attempt in flight or the wait and
    /// leaves nothing behind, except that a retry already taken from the budget stays taken.
    ///
    /// # Errors
    /// The last error, in a [`GaveUp`] that says why.
    pub async fn run<T, E, Operation, Answer>(
        mut self,
        mut operation: Operation,
        judge: impl Fn(&E) -> Judgement,
    ) -> Result<T, GaveUp<E>>
    where
        E: Error + 'static,
        Operation: FnMut(Attempt) -> Answer,
        Answer: Future<Output = Result<T, E>>,
    {
        self.budget.count_call();
        let mut delays = self.schedule.delays();
        let mut waited = Duration::ZERO;
        let mut number = 1;
        loop {
            let error = match operation(Attempt { number, deadline: self.deadline }).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let wait = match self.next_wait(judge(&error), &mut delays) {
                Ok(wait) => wait,
                Err(why) => return Err(self.give_up(error, number, waited, why)),
            };
            tracing::info!(
                operation = self.what,
                attempt = number,
                delay_ms = wait.end.saturating_duration_since(wait.start).as_millis() as u64,
                stated = wait.stated,
                code = %code_of(&error),
                "failed, retrying"
            );
            let cancelled = tokio::select! {
                // Cancellation wins over a wait that ends in the same moment.
                biased;
                () = &mut self.cancelled => true,
                () = self.clock.sleep_until(wait.end) => false,
            };
            waited += self.clock.now().saturating_duration_since(wait.start);
            if cancelled {
                return Err(self.give_up(error, number, waited, Why::Cancelled));
            }
            number += 1;
        }
    }

    fn next_wait(&self, judgement: Judgement, delays: &mut Delays<'_>) -> Result<Wait, Why> {
        let after = match judgement {
            Judgement::Retry { after } => after.unwrap_or_default(),
            Judgement::Stop => return Err(Why::Judged),
        };
        let scheduled = delays.next().ok_or(Why::Schedule)?;
        if after > scheduled && after > self.longest_stated {
            return Err(Why::StatedTooLong { stated: after, longest: self.longest_stated });
        }
        let start = self.clock.now();
        // An instant that cannot be represented is later than any deadline.
        let end = start.checked_add(scheduled.max(after)).ok_or(Why::Deadline)?;
        if self.deadline.is_some_and(|deadline| end > deadline) {
            return Err(Why::Deadline);
        }
        // Last, so that no retry is taken from the others for an attempt that is not made.
        if self.budget.take(start) {
            Ok(Wait { start, end, stated: after > scheduled })
        } else {
            Err(Why::Budget)
        }
    }

    fn give_up<E: Error + 'static>(&self, error: E, attempts: u32, waited: Duration, why: Why) -> GaveUp<E> {
        tracing::info!(operation = self.what, attempt = attempts, code = %code_of(&error), %why, "gave up");
        GaveUp::new(error, attempts, waited, why)
    }
}

impl fmt::Debug for Retry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retry")
            .field("what", &self.what)
            .field("schedule", self.schedule)
            .finish_non_exhaustive()
    }
}

struct Wait {
    start: Instant,
    end: Instant,
    /// Whether the failed side's word made it longer than scheduled.
    stated: bool,
}

fn code_of(error: &(dyn Error + 'static)) -> Code {
    Mark::find(error).map_or(Local::Unclassified.into(), Mark::code)
}
