//! Exponential delays with jitter, and the only place that knows the `backoff` crate.
//!
//! `backoff` grows the step and rolls the jitter; it is never allowed to end the series (`max_elapsed_time` is off),
//! because deadlines belong to our clock and not to its own. Replacing the crate means replacing this file.
//!
//! What must stay true: no delay is longer than the stated maximum. `backoff` caps the step *before* the jitter, so
//! the step is capped lower here. Cutting the jittered value instead would put half of all waiters on the very same
//! last delay, which is the herd that jitter exists to break.

use std::time::Duration;

use backoff::{ExponentialBackoff, ExponentialBackoffBuilder, backoff::Backoff as _};

/// Validated parameters; see `Schedule::exponential` for what they mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Exponential {
    pub(crate) initial: Duration,
    pub(crate) max: Duration,
    pub(crate) factor: f64,
    pub(crate) jitter: f64,
}

impl Exponential {
    pub(crate) fn delays(&self) -> ExponentialDelays {
        let highest_step = self.max.div_f64(1.0 + self.jitter);
        let series = ExponentialBackoffBuilder::new()
            .with_initial_interval(self.initial.min(highest_step))
            .with_max_interval(highest_step)
            .with_multiplier(self.factor)
            .with_randomization_factor(self.jitter)
            .with_max_elapsed_time(None)
            .build();
        ExponentialDelays { series, max: self.max }
    }
}

/// An endless series of delays.
#[derive(Debug)]
pub(crate) struct ExponentialDelays {
    series: ExponentialBackoff,
    max: Duration,
}

impl ExponentialDelays {
    pub(crate) fn next_delay(&mut self) -> Duration {
        // The series is endless without a maximum elapsed time. Rounding may pass the maximum by a nanosecond.
        self.series.next_backoff().unwrap_or(self.max).min(self.max)
    }
}
