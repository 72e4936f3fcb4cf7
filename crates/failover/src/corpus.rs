//! The corpus: rows of real errors with the class that the provider documents, and how well the classifier does on them.
//!
//! It is part of the library, behind no feature, so that the example, the tests and whoever holds a corpus of their own
//! count in the same way. The option not taken is counting in the example, which the accuracy test would then repeat.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use moorline_taxonomy::{Code, Effect, policy};
use serde::Deserialize;

use crate::{Signal, Verdict, classify};

/// One row.
#[derive(Clone, Debug, Deserialize)]
pub struct Row {
    /// A stable name.
    pub id: String,
    /// The provider as a program calls it.
    pub provider: Option<String>,
    /// HTTP status.
    pub status: Option<u16>,
    /// The error code.
    pub code: Option<String>,
    /// The error type.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The message.
    pub message: Option<String>,
    /// The body.
    pub body: Option<String>,
    /// Headers.
    pub headers: Option<BTreeMap<String, String>>,
    /// The documented class.
    pub class: String,
    /// Whether two readings are defensible; such rows are not scored.
    #[serde(default)]
    pub ambiguous: bool,
}

impl Row {
    /// What the classifier says.
    #[must_use]
    pub fn classify(&self) -> Verdict {
        let headers: Vec<(&str, &str)> =
            self.headers.iter().flatten().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.signal(&headers, classify)
    }

    /// Builds the row's signal and hands it on.
    pub fn signal<T>(&self, headers: &[(&str, &str)], use_it: impl FnOnce(&Signal<'_>) -> T) -> T {
        let signal = Signal {
            status: self.status,
            headers,
            provider: self.provider.as_deref(),
            code: self.code.as_deref(),
            kind: self.kind.as_deref(),
            message: self.message.as_deref(),
            body: self.body.as_deref().map(str::as_bytes),
            ..Signal::default()
        };
        use_it(&signal)
    }
}

/// One row, judged.
#[derive(Clone, Debug)]
pub struct Judged {
    /// Whether the class is the documented one.
    pub exact: bool,
    /// Whether the runner and the chain do what they would do for the documented class.
    pub disposition: bool,
    /// The class that was found.
    pub class: String,
    /// The rule that decided.
    pub rule: Cow<'static, str>,
}

/// The count over a corpus.
#[derive(Clone, Debug, Default)]
pub struct Score {
    /// Rows that are scored.
    pub scored: usize,
    /// Of these, with the documented class.
    pub exact: usize,
    /// Of these, handled as the documented class would be.
    pub disposition: usize,
    /// Rows that are not scored.
    pub ambiguous: usize,
    /// How often a documented class was given another; scored rows only.
    pub confusion: BTreeMap<(String, String), usize>,
}

impl Score {
    /// Judges and counts a row.
    pub fn add(&mut self, row: &Row) -> Judged {
        self.add_verdict(row, row.classify())
    }

    /// Judges and counts what somebody else made of a row, for example after it went over a wire.
    pub fn add_verdict(&mut self, row: &Row, verdict: Verdict) -> Judged {
        // The corpus names classes by the flat reason, which folds the finer request classes into `format`.
        let class = verdict.reason.as_deref().map_or_else(|| verdict.code.to_string(), str::to_owned);
        let exact = class == row.class;
        let disposition =
            exact || documented(&row.class).is_some_and(|code| same_disposition(code, verdict.code));
        if row.ambiguous {
            self.ambiguous += 1;
        } else {
            self.scored += 1;
            self.exact += usize::from(exact);
            self.disposition += usize::from(disposition);
            *self.confusion.entry((row.class.clone(), class.clone())).or_default() += 1;
        }
        Judged { exact, disposition, class, rule: verdict.rule }
    }

    /// Exact accuracy, in percent.
    #[must_use]
    pub fn exact_percent(&self) -> f64 {
        percent(self.exact, self.scored)
    }

    /// Disposition accuracy, in percent.
    #[must_use]
    pub fn disposition_percent(&self) -> f64 {
        percent(self.disposition, self.scored)
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "scored       {:>5}  ({} ambiguous, not scored)", self.scored, self.ambiguous)?;
        writeln!(f, "exact        {:>5}  {:.1} %", self.exact, self.exact_percent())?;
        write!(f, "disposition  {:>5}  {:.1} %", self.disposition, self.disposition_percent())
    }
}

fn percent(part: usize, whole: usize) -> f64 {
    // Corpora hold thousands of rows at most.
    100.0 * part as f64 / whole.max(1) as f64
}

fn documented(class: &str) -> Option<Code> {
    Code::all().find(|code| code.name() == class && crate::verdict::flat_reason(*code).is_some())
}

fn same_disposition(one: Code, other: Code) -> bool {
    let (one, other) = (policy(one, Effect::None), policy(other, Effect::None));
    one.runner == other.runner && one.failover == other.failover
}
