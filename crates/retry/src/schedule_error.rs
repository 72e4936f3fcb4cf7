//! Why a schedule or a budget was refused.
//!
//! An opaque error with a fault to match on: the fault says which value is wrong, the chain carries `local.config`,
//! so that a configured schedule that cannot work ends as a configuration error in every consumer.

use std::{fmt, time::Duration};

use moorline_taxonomy::{Local, Mark};

/// A value that makes no schedule or budget.
#[derive(Debug)]
pub struct ScheduleError {
    fault: ScheduleFault,
    mark: Mark,
}

/// What is wrong with the value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ScheduleFault {
    /// A fixed schedule without a delay.
    Empty,
    /// A delay, or a refill interval, of zero.
    ZeroDelay,
    /// A delay that is longer than a schedule may hold.
    TooLong {
        /// The delay.
        delay: Duration,
        /// The longest one allowed.
        longest: Duration,
    },
    /// An exponential schedule that would have to shrink.
    MaxBelowInitial {
        /// Its first delay.
        initial: Duration,
        /// Its longest delay.
        max: Duration,
    },
    /// A factor that is not within 1 to 100.
    Factor(f64),
    /// A jitter that is not within 0 to 0.9.
    Jitter(f64),
    /// A factor or jitter for a schedule that does not end with an exponential part.
    NotExponential,
    /// A share of retries that is not above 0 and at most 1.
    Share(f64),
}

impl ScheduleError {
    /// What is wrong.
    #[must_use]
    pub fn fault(&self) -> ScheduleFault {
        self.fault
    }
}

impl From<ScheduleFault> for ScheduleError {
    fn from(fault: ScheduleFault) -> Self {
        Self { fault, mark: Mark::new(Local::Config) }
    }
}

impl fmt::Display for ScheduleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fault {
            ScheduleFault::Empty => f.write_str("a fixed schedule needs at least one delay"),
            ScheduleFault::ZeroDelay => f.write_str("a delay of zero is a hot loop"),
            ScheduleFault::TooLong { delay, longest } => {
                write!(f, "a delay of {delay:?} is longer than the longest allowed, {longest:?}")
            }
            ScheduleFault::MaxBelowInitial { initial, max } => {
                write!(f, "the longest delay ({max:?}) is below the first ({initial:?})")
            }
            ScheduleFault::Factor(factor) => write!(f, "the factor must be within 1 to 100, not {factor}"),
            ScheduleFault::Jitter(jitter) => write!(f, "the jitter must be within 0 to 0.9, not {jitter}"),
            ScheduleFault::NotExponential => {
                f.write_str("a factor or jitter needs a schedule that ends with an exponential part")
            }
            ScheduleFault::Share(share) => {
                write!(f, "the share of retries must be above 0 and at most 1, not {share}")
            }
        }
    }
}

impl std::error::Error for ScheduleError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.mark)
    }
}
