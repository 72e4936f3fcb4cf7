//! Schedules: how long to wait before each retry, as validated values.
//!
//! A schedule is a description and holds no state; [`Schedule::delays`] starts a series. Bad values are refused when
//! the schedule is built and not when the first retry runs into them: a zero delay is a hot loop, a factor below one
//! hammers harder each time, a delay of years is a retry that never happens. The option not taken is clamping, which
//! hides the mistake from whoever configured it.

use std::time::Duration;

use crate::{
    exponential::{Exponential, ExponentialDelays},
    schedule_error::{ScheduleError, ScheduleFault},
};

/// The longest delay that a schedule may hold. Longer waits are persisted by whoever needs them and not slept.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The delays between attempts.
///
/// ```
/// use std::time::Duration;
/// use moorline_retry::Schedule;
/// let in_call = Schedule::fixed([5, 10, 20].map(Duration::from_secs))?;
/// let later = Schedule::exponential(Duration::from_secs(15), Duration::from_secs(300))?.jitter(0.2)?;
/// let delays: Vec<_> = in_call.then(later).at_most(4).delays().collect();
/// assert_eq!(delays[..3], [5, 10, 20].map(Duration::from_secs));
/// assert!((12..=18).contains(&delays[3].as_secs()));
/// assert_eq!(delays.len(), 4);
/// # Ok::<(), moorline_retry::ScheduleError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Fixed(Vec<Duration>),
    Exponential { series: Exponential, at_most: usize },
}

/// `at_most` of a series without end. Nobody retries so often.
const ENDLESS: usize = usize::MAX;

impl Schedule {
    /// No retry at all: the first attempt is the only one.
    #[must_use]
    pub fn never() -> Self {
        Self { parts: Vec::new() }
    }

    /// Exactly these delays, in order, and no retry after the last.
    ///
    /// # Errors
    /// An empty list, a zero delay, and a delay over seven days.
    pub fn fixed(delays: impl IntoIterator<Item = Duration>) -> Result<Self, ScheduleError> {
        let delays: Vec<_> = delays.into_iter().collect();
        if delays.is_empty() {
            return Err(ScheduleFault::Empty.into());
        }
        for delay in &delays {
            in_range(*delay)?;
        }
        Ok(Self { parts: vec![Part::Fixed(delays)] })
    }

    /// Delays that double from `initial` and are never longer than `max`; without end, so bound it with
    /// [`Schedule::at_most`], a budget or a deadline.
    ///
    /// # Errors
    /// A zero `initial`, a `max` below `initial` or over seven days.
    pub fn exponential(initial: Duration, max: Duration) -> Result<Self, ScheduleError> {
        in_range(initial)?;
        if max < initial {
            return Err(ScheduleFault::MaxBelowInitial { initial, max }.into());
        }
        in_range(max)?;
        let series = Exponential { initial, max, factor: 2.0, jitter: 0.0 };
        Ok(Self { parts: vec![Part::Exponential { series, at_most: ENDLESS }] })
    }

    /// Sets what each step of an exponential schedule is multiplied with.
    ///
    /// # Errors
    /// A factor that is not within 1 to 100, and a schedule that does not end with an exponential part.
    pub fn factor(mut self, factor: f64) -> Result<Self, ScheduleError> {
        if !(1.0..=100.0).contains(&factor) {
            return Err(ScheduleFault::Factor(factor).into());
        }
        self.last_exponential()?.factor = factor;
        Ok(self)
    }

    /// Spreads each delay of an exponential schedule evenly over `step * (1 - jitter) ..= step * (1 + jitter)`. Near
    /// the maximum the step gives way, so that the spread stays and no delay passes the maximum.
    ///
    /// # Errors
    /// A jitter that is not within 0 to 0.9, and a schedule that does not end with an exponential part.
    pub fn jitter(mut self, jitter: f64) -> Result<Self, ScheduleError> {
        if !(0.0..=0.9).contains(&jitter) {
            return Err(ScheduleFault::Jitter(jitter).into());
        }
        self.last_exponential()?.jitter = jitter;
        Ok(self)
    }

    /// At most `retries` delays in all.
    #[must_use]
    pub fn at_most(mut self, retries: usize) -> Self {
        let mut left = retries;
        for part in &mut self.parts {
            match part {
                Part::Fixed(delays) => delays.truncate(left),
                Part::Exponential { at_most, .. } => *at_most = left.min(*at_most),
            }
            left = left.saturating_sub(part.len());
        }
        self
    }

    /// Goes on with `next` when this schedule has no more delays. Nothing comes after a schedule without end.
    #[must_use]
    pub fn then(mut self, next: Self) -> Self {
        self.parts.extend(next.parts);
        self
    }

    /// How many retries the schedule allows; `None` is without end.
    #[must_use]
    pub fn retries(&self) -> Option<usize> {
        let sum = self.parts.iter().fold(0, |sum: usize, part| sum.saturating_add(part.len()));
        (sum != ENDLESS).then_some(sum)
    }

    /// Starts a series of delays; each series rolls its own jitter.
    #[must_use]
    pub fn delays(&self) -> Delays<'_> {
        Delays { parts: self.parts.iter(), current: None }
    }

    /// The delay before retry number `retry` (the first is 0), for callers that persist the number instead of a
    /// series. Costs one draw for each retry before it.
    #[must_use]
    pub fn delay(&self, retry: usize) -> Option<Duration> {
        self.delays().nth(retry)
    }

    fn last_exponential(&mut self) -> Result<&mut Exponential, ScheduleError> {
        match self.parts.last_mut() {
            Some(Part::Exponential { series, .. }) => Ok(series),
            Some(Part::Fixed(_)) | None => Err(ScheduleFault::NotExponential.into()),
        }
    }
}

impl Part {
    fn len(&self) -> usize {
        match self {
            Self::Fixed(delays) => delays.len(),
            Self::Exponential { at_most, .. } => *at_most,
        }
    }
}

fn in_range(delay: Duration) -> Result<(), ScheduleError> {
    if delay.is_zero() {
        return Err(ScheduleFault::ZeroDelay.into());
    }
    if delay > LONGEST {
        return Err(ScheduleFault::TooLong { delay, longest: LONGEST }.into());
    }
    Ok(())
}

/// A running series of delays.
#[derive(Debug)]
pub struct Delays<'a> {
    parts: std::slice::Iter<'a, Part>,
    current: Option<Running<'a>>,
}

#[derive(Debug)]
enum Running<'a> {
    Fixed(std::slice::Iter<'a, Duration>),
    Exponential { series: ExponentialDelays, left: usize },
}

impl Running<'_> {
    fn next(&mut self) -> Option<Duration> {
        match self {
            Self::Fixed(delays) => delays.next().copied(),
            Self::Exponential { series, left } => {
                *left = left.checked_sub(1)?;
                Some(series.next_delay())
            }
        }
    }
}

impl Iterator for Delays<'_> {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        loop {
            if let Some(delay) = self.current.as_mut().and_then(Running::next) {
                return Some(delay);
            }
            self.current = Some(match self.parts.next()? {
                Part::Fixed(delays) => Running::Fixed(delays.iter()),
                Part::Exponential { series, at_most } => {
                    Running::Exponential { series: series.delays(), left: *at_most }
                }
            });
        }
    }
}
