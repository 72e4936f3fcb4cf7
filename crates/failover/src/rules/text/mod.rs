//! Rules over messages: what is left when neither a code nor a type says enough.
//!
//! A rule is a list of terms that must all be met; a term is a list of phrases, one of which must be met; a term with
//! `!` must not be met. Phrases are whole words in lower case (`exceed*` is a beginning), so a date in a tool's name or
//! a token count never looks like a status. Rules are tried in the order of the tables, under the statuses they name.
//!
//! The option not taken is one sentence per rule. Providers reword, and most wordings they have not used yet are made
//! of the same nouns and verbs: a window and something that exceeds it, an account and something that ran out.

use super::Outcome;
use crate::vendor::Vendor;

mod access;
mod capacity;
mod money;
mod request;
mod transport;

/// One rule over messages.
#[derive(Debug)]
pub(crate) struct TextRule {
    pub(crate) id: &'static str,
    pub(crate) terms: &'static [&'static str],
    pub(crate) outcome: Outcome,
    pub(crate) under: Statuses,
    /// Only for these vendors; for all when empty.
    pub(crate) vendors: &'static [Vendor],
    /// Whether the wording alone shows that a model provider answered. Otherwise the rule needs other evidence of one.
    pub(crate) alone: bool,
    /// Whether a family of codes or a status says more than this wording.
    pub(crate) vague: bool,
    pub(crate) source: &'static str,
}

/// Writes a table of text rules.
macro_rules! text_rules {
    (
        $(#[$doc:meta])*
        $table:ident $prefix:literal:
        $( $id:literal $(for [$($vendor:ident)+])? $(($flag:ident))? [$($term:literal),+] => $outcome:expr, $under:expr, $source:literal; )+
    ) => {
        $(#[$doc])*
        pub(super) static $table: &[$crate::rules::text::TextRule] = &[
            $($crate::rules::text::TextRule {
                id: concat!("text/", $prefix, "-", $id),
                terms: &[$($term),+],
                outcome: $outcome,
                under: $under,
                vendors: &[$($($crate::vendor::Vendor::$vendor),+)?],
                alone: $crate::rules::text::alone!($($flag)?),
                vague: $crate::rules::text::vague!($($flag)?),
                source: $source,
            }),+
        ];
    };
}
macro_rules! alone {
    () => {
        false
    };
    (alone) => {
        true
    };
    (vague) => {
        false
    };
}
macro_rules! vague {
    () => {
        false
    };
    (alone) => {
        false
    };
    (vague) => {
        true
    };
}
pub(crate) use {alone, text_rules, vague};

/// Every text rule, in the order in which they are tried.
pub(crate) fn rules() -> impl Iterator<Item = &'static TextRule> {
    [
        transport::TRUST,
        transport::EDGE,
        request::POLICY,
        request::REPLAY,
        access::SESSION,
        money::PLAN_WINDOWS,
        request::LIMITS_OF_PARAMETERS,
        money::SPENT,
        request::OVERFLOW_SURE,
        capacity::UNSATISFIABLE_RULES,
        capacity::OVERLOAD_SURE,
        access::GONE_FOR_GOOD,
        capacity::THROTTLE,
        request::OVERFLOW_WIDE,
        request::PAYLOAD,
        access::ENTITLED,
        access::MODEL,
        access::CREDENTIAL,
        capacity::OVERLOAD_WIDE,
        transport::ENGINE,
        transport::EMPTY,
        transport::BROKEN,
        request::QUOTED,
        request::SHAPE,
        transport::SERVER,
        transport::BARE,
        money::BARE,
        access::BARE,
    ]
    .into_iter()
    .flatten()
}

/// A set of HTTP statuses, by the groups that rules tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Statuses(u32);

impl Statuses {
    /// No status, or one that is no error (a stream that failed after 200).
    pub(crate) const UNSAID: Self = Self(1);
    pub(crate) const S400: Self = Self(1 << 1);
    pub(crate) const S401: Self = Self(1 << 2);
    pub(crate) const S402: Self = Self(1 << 3);
    pub(crate) const S403: Self = Self(1 << 4);
    pub(crate) const S404: Self = Self(1 << 5);
    pub(crate) const S408: Self = Self(1 << 6);
    pub(crate) const S409: Self = Self(1 << 7);
    pub(crate) const S413: Self = Self(1 << 8);
    pub(crate) const S422: Self = Self(1 << 9);
    pub(crate) const S424: Self = Self(1 << 10);
    pub(crate) const S429: Self = Self(1 << 11);
    pub(crate) const OTHER_4XX: Self = Self(1 << 12);
    pub(crate) const S500: Self = Self(1 << 13);
    pub(crate) const S502: Self = Self(1 << 14);
    pub(crate) const S503: Self = Self(1 << 15);
    pub(crate) const S504: Self = Self(1 << 16);
    pub(crate) const OTHER_5XX: Self = Self(1 << 17);

    pub(crate) const ANY: Self = Self((1 << 18) - 1);
    /// Every failure of the server's own.
    pub(crate) const SERVER: Self =
        Self(Self::S500.0 | Self::S502.0 | Self::S503.0 | Self::S504.0 | Self::OTHER_5XX.0);
    /// Statuses under which a fault of the request is reported.
    pub(crate) const REQUEST: Self = Self(
        Self::UNSAID.0
            | Self::S400.0
            | Self::S404.0
            | Self::S409.0
            | Self::S413.0
            | Self::S422.0
            | Self::S424.0
            | Self::OTHER_4XX.0
            | Self::SERVER.0,
    );

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn except(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The group of one status.
    pub(crate) const fn group(status: Option<u16>) -> Self {
        match status {
            None | Some(..400) => Self::UNSAID,
            Some(400) => Self::S400,
            Some(401) => Self::S401,
            Some(402) => Self::S402,
            Some(403) => Self::S403,
            Some(404) => Self::S404,
            Some(408) => Self::S408,
            Some(409) => Self::S409,
            Some(413) => Self::S413,
            Some(422) => Self::S422,
            Some(424) => Self::S424,
            Some(429) => Self::S429,
            Some(401..500) => Self::OTHER_4XX,
            Some(500) => Self::S500,
            Some(502) => Self::S502,
            Some(503) => Self::S503,
            Some(504) => Self::S504,
            Some(500..) => Self::OTHER_5XX,
        }
    }

    pub(crate) const fn has(self, group: Self) -> bool {
        self.0 & group.0 != 0
    }
}
