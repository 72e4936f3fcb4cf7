//! The retry budget: how many retries everybody who shares it may spend together.
//!
//! A limit per call does not bound a system: when everything fails, a thousand callers with three retries each make
//! four thousand calls. So the budget is one bucket shared by all its clones. A retry takes one token and is not made
//! without one; the first attempt of a call is free, because refusing it is admission control and not retrying.
//!
//! The lock is held for a few arithmetic operations and never across an await.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::schedule_error::{ScheduleError, ScheduleFault};

/// One token, in the unit of the bucket, so that shares of a token need no floating point.
const TOKEN: u64 = 1_000_000;

/// A shared bucket of retries. Clones share it.
///
/// ```
/// use moorline_retry::Budget;
/// use std::time::Instant;
/// let budget = Budget::total(1);
/// let clone = budget.clone();
/// assert!(clone.take(Instant::now()));
/// assert!(!budget.take(Instant::now()), "the clone took the only one");
/// ```
#[derive(Clone, Debug)]
pub struct Budget {
    bucket: Option<Arc<Mutex<Bucket>>>,
}

#[derive(Debug)]
struct Bucket {
    tokens: u64,
    capacity: u64,
    refill: Refill,
}

#[derive(Debug)]
enum Refill {
    Never,
    /// One token each interval; `since` is when the last whole one came in.
    Every {
        interval: Duration,
        since: Option<Instant>,
    },
    /// This part of a token with every call.
    PerCall(u64),
}

impl Budget {
    /// No limit; what bounds the retries is the schedule and the deadline.
    #[must_use]
    pub fn unlimited() -> Self {
        Self { bucket: None }
    }

    /// So many retries and no more: the budget of one run.
    #[must_use]
    pub fn total(retries: u32) -> Self {
        Self::filled(retries, Refill::Never)
    }

    /// A burst of `capacity` retries, and one more each `interval`, up to `capacity`.
    ///
    /// # Errors
    /// A zero `interval`.
    pub fn refilling(capacity: u32, interval: Duration) -> Result<Self, ScheduleError> {
        if interval.is_zero() {
            return Err(ScheduleFault::ZeroDelay.into());
        }
        Ok(Self::filled(capacity, Refill::Every { interval, since: None }))
    }

    /// A burst of `capacity` retries, and `share` of a retry with every call: 0.2 bounds the load of a full outage
    /// to 1.2 times the calls that were wanted.
    ///
    /// # Errors
    /// A `share` that is not above 0 and at most 1.
    pub fn share_of_calls(capacity: u32, share: f64) -> Result<Self, ScheduleError> {
        if !(share > 0.0 && share <= 1.0) {
            return Err(ScheduleFault::Share(share).into());
        }
        // The share is within 0 to 1, so the product fits.
        Ok(Self::filled(capacity, Refill::PerCall((share * TOKEN as f64) as u64)))
    }

    fn filled(capacity: u32, refill: Refill) -> Self {
        let capacity = u64::from(capacity) * TOKEN;
        Self { bucket: Some(Arc::new(Mutex::new(Bucket { tokens: capacity, capacity, refill }))) }
    }

    /// Takes one retry; `false` when there is none. [`Retry::run`](crate::Retry::run) calls it before it waits.
    #[must_use]
    pub fn take(&self, now: Instant) -> bool {
        self.with(|bucket| {
            bucket.refill(now);
            match bucket.tokens.checked_sub(TOKEN) {
                Some(rest) => {
                    bucket.tokens = rest;
                    true
                }
                None => false,
            }
        })
        .unwrap_or(true)
    }

    /// Counts one call, which a budget by share of calls is filled from. [`Retry::run`](crate::Retry::run) does it.
    pub fn count_call(&self) {
        self.with(|bucket| match bucket.refill {
            Refill::PerCall(part) => bucket.tokens = (bucket.tokens + part).min(bucket.capacity),
            Refill::Never | Refill::Every { .. } => {}
        });
    }

    /// Whole retries left; `None` is without limit.
    #[must_use]
    pub fn left(&self, now: Instant) -> Option<u32> {
        self.with(|bucket| {
            bucket.refill(now);
            u32::try_from(bucket.tokens / TOKEN).unwrap_or(u32::MAX)
        })
    }

    fn with<T>(&self, use_bucket: impl FnOnce(&mut Bucket) -> T) -> Option<T> {
        // Every update is one assignment, so a bucket is whole even after a panic elsewhere.
        self.bucket
            .as_ref()
            .map(|bucket| use_bucket(&mut bucket.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Bucket {
    fn refill(&mut self, now: Instant) {
        let Refill::Every { interval, since } = &mut self.refill else { return };
        let from = *since.get_or_insert(now);
        let elapsed = now.saturating_duration_since(from);
        let missing = (self.capacity - self.tokens).div_ceil(TOKEN);
        let whole = u64::try_from(elapsed.as_nanos() / interval.as_nanos()).unwrap_or(u64::MAX);
        if whole >= missing {
            // Full: time that passes now must not be saved up as a second burst.
            self.tokens = self.capacity;
            *since = Some(now);
        } else {
            self.tokens += whole * TOKEN;
            // The rest of the elapsed time counts for the next token. `whole` is below a `u32` of capacity here.
            *since = Some(from + interval.saturating_mul(u32::try_from(whole).unwrap_or(u32::MAX)));
        }
    }
}
