//! How a run ends without an answer.

use std::{error::Error, fmt, time::SystemTime};

use moorline_taxonomy::{Code, Local, Mark, Provider, Request};

use crate::{
    decide::StopReason,
    failure::CallError,
    preflight::Skip,
    record::{Event, Link, Record},
};

/// Why no candidate served the request. Every record is kept, and every cause of every call is in the source chain.
#[derive(Debug)]
pub enum ChainError {
    /// Going on would be wrong or useless: the fault is local, the request's, or output was shown already.
    Stopped {
        /// Why; `None` where the fault is not a provider's.
        reason: Option<StopReason>,
        /// What was done.
        report: Report,
    },
    /// Every candidate is left alone, and this is when the first one can be tried again. A fact, not a summary.
    AllCooling {
        /// The earliest time at which a candidate is worth a call.
        until: SystemTime,
        /// What was done.
        report: Report,
    },
    /// Every candidate that could be tried was.
    Exhausted {
        /// What was done.
        report: Report,
    },
}

/// What a failed run did.
#[derive(Debug)]
pub struct Report {
    code: Code,
    mark: Mark,
    records: Vec<Record>,
}

impl Report {
    pub(crate) fn of(records: Vec<Record>) -> Self {
        let code = code_of(&records);
        let mut mark = Mark::new(code);
        if let Some(link) = Link::chain(&records) {
            mark = mark.caused_by(link as Box<dyn Error + Send + Sync>);
        }
        Self { code, mark, records }
    }
}

/// A run is what ended it where the fault was not a provider's; otherwise the first candidate's failure, because the
/// later ones only ran since that one failed.
fn code_of(records: &[Record]) -> Code {
    let errors = || records.iter().filter_map(Record::error);
    match (errors().next_back(), errors().next()) {
        (Some(last), _) if last.verdict().is_none() => last.code(),
        (_, Some(first)) => first.code(),
        (_, None) => code_of_skips(records),
    }
}

/// A run in which nothing was called: for now, where time is what is missing; otherwise for the first thing that no
/// candidate had.
fn code_of_skips(records: &[Record]) -> Code {
    let mut misfit = None;
    for record in records {
        let Event::Skipped(skip) = &record.event else { continue };
        let code = match skip {
            Skip::Cooling { .. } | Skip::Probed { .. } => return Provider::RateLimit.into(),
            Skip::Window { .. } | Skip::NotLarger => Request::ContextOverflow.into(),
            Skip::Size { .. } => Request::PayloadTooLarge.into(),
            Skip::Lacks(_) => Local::Config.into(),
        };
        misfit.get_or_insert(code);
    }
    misfit.unwrap_or(Code::Local(Local::Config))
}

impl ChainError {
    /// The class of the whole.
    #[must_use]
    pub fn code(&self) -> Code {
        self.report().code
    }

    /// What was done, in order.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.report().records
    }

    /// How many candidates were spent: called, and failed by their provider.
    #[must_use]
    pub fn consumed(&self) -> usize {
        let mut spent: Vec<_> =
            self.records().iter().filter(|record| record.is_consumed()).map(|r| &r.candidate).collect();
        spent.dedup();
        spent.len()
    }

    /// The error that ended the run, where a call did.
    #[must_use]
    pub fn last_error(&self) -> Option<&CallError> {
        self.records().iter().rev().find_map(Record::error)
    }

    fn report(&self) -> &Report {
        match self {
            Self::Stopped { report, .. } | Self::AllCooling { report, .. } | Self::Exhausted { report } => {
                report
            }
        }
    }
}

impl fmt::Display for ChainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let called = self.records().iter().filter(|record| record.error().is_some()).count();
        match self {
            Self::Stopped { reason: None, .. } => {
                write!(f, "stopped: the fault is not a provider's ({})", self.code())
            }
            Self::Stopped { reason: Some(StopReason::Class), .. } => {
                write!(f, "stopped: no other candidate would change {}", self.code())
            }
            Self::Stopped { reason: Some(StopReason::Streamed), .. } => {
                f.write_str("stopped: output was shown already, and a replay would show it twice")
            }
            Self::Stopped { reason: Some(StopReason::Repair), .. } => {
                write!(f, "stopped: the request has to be repaired ({})", self.code())
            }
            Self::AllCooling { .. } => write!(f, "every candidate is cooling ({called} calls made)"),
            Self::Exhausted { .. } if called == 0 => write!(f, "no candidate fits ({})", self.code()),
            Self::Exhausted { .. } => write!(f, "every candidate failed ({called} calls made)"),
        }
    }
}

impl Error for ChainError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.report().mark)
    }
}
