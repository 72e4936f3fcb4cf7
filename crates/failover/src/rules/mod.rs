//! The rules: what providers document, as data.
//!
//! One file per vendor holds the codes and types that the vendor documents, each group under the page it comes from;
//! [`generic`] holds what everybody shares; [`status`] is the table of HTTP statuses; [`text`] are the rules over
//! messages. A reader audits a class by reading one table, and a new code is one line.
//!
//! The decision: tables, matched exactly, before any text. The option not taken is one list of regular expressions over
//! the whole error, which is how a tool name with a date in it becomes a rate limit.
//!
//! What must stay true: a rule's id is stable once published, and every rule names its source.

pub(crate) mod index;
mod outcome;
pub(crate) mod status;
pub(crate) mod text;

mod anthropic;
mod aws;
mod azure;
mod baidu;
mod dashscope;
mod gateways;
mod generic;
mod google;
mod kimi;
mod local;
mod minimax;
mod openai;
mod others;
mod xai;
mod zhipu;

pub(crate) use outcome::Outcome;

use crate::vendor::Vendor;

/// How much a code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Weight {
    /// Nearly nothing (`invalid_request_error` is put on everything); the status and the message say more.
    Weak,
    /// A family; the message may name a more special member of it.
    Broad,
    /// Exactly one thing. No message changes it.
    Exact,
}

/// One documented code or type.
#[derive(Debug)]
pub(crate) struct Rule {
    /// Stable, `vendor/value` or `vendor/status-value`.
    pub(crate) id: &'static str,
    pub(crate) vendor: Vendor,
    /// As documented; case, `_`, `-`, `.` and spaces do not matter.
    pub(crate) value: &'static str,
    /// Only under this status. `None`: under any.
    pub(crate) status: Option<u16>,
    pub(crate) weight: Weight,
    pub(crate) outcome: Outcome,
    /// The document.
    pub(crate) source: &'static str,
}

/// Writes a vendor's table: groups of `weight value => outcome` under the document they come from.
macro_rules! vendor_rules {
    (
        $(#[$doc:meta])*
        $table:ident: $vendor:ident $prefix:literal
        $( from $source:literal { $( $weight:ident $value:literal $(under $status:literal)? => $outcome:expr; )+ } )+
    ) => {
        $(#[$doc])*
        pub(super) static $table: &[$crate::rules::Rule] = &[
            $($(
                $crate::rules::Rule {
                    id: concat!($prefix, "/", $($status, "-",)? $value),
                    vendor: $crate::vendor::Vendor::$vendor,
                    value: $value,
                    status: $crate::rules::optional!($($status)?),
                    weight: $crate::rules::weight!($weight),
                    outcome: $outcome,
                    source: $source,
                },
            )+)+
        ];
    };
}
macro_rules! optional {
    () => {
        None
    };
    ($value:literal) => {
        Some($value)
    };
}
macro_rules! weight {
    (exact) => {
        $crate::rules::Weight::Exact
    };
    (broad) => {
        $crate::rules::Weight::Broad
    };
    (weak) => {
        $crate::rules::Weight::Weak
    };
}
pub(crate) use {optional, vendor_rules, weight};

/// Every table of codes, in the order of the files above.
pub(crate) fn tables() -> impl Iterator<Item = &'static Rule> {
    [
        anthropic::RULES,
        aws::RULES,
        azure::RULES,
        baidu::RULES,
        dashscope::RULES,
        gateways::OPENROUTER,
        gateways::ZENMUX,
        gateways::COPILOT,
        gateways::PROXIES,
        gateways::CLOUDFLARE,
        gateways::OPENCODE,
        gateways::VERCEL,
        generic::RULES,
        generic::FLAT,
        generic::GRPC,
        generic::SDK_NAMES,
        generic::TRANSPORT,
        google::RULES,
        kimi::RULES,
        local::RULES,
        minimax::RULES,
        openai::RULES,
        openai::CODEX,
        others::MISTRAL,
        others::GROQ,
        others::DEEPSEEK,
        others::TOGETHER,
        others::CEREBRAS,
        others::FIREWORKS,
        others::IFLOW,
        others::TENCENT,
        others::VOLCENGINE,
        others::SILICONFLOW,
        others::IFLYTEK,
        others::PLATFORMS,
        xai::RULES,
        zhipu::RULES,
    ]
    .into_iter()
    .flatten()
}

/// A rule as an auditor sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleInfo {
    /// The id that verdicts carry.
    pub id: &'static str,
    /// What it matches: a code, a status, or the alternatives of a text rule.
    pub matches: &'static str,
    /// What it concludes.
    pub code: moorline_taxonomy::Code,
    /// The document it comes from.
    pub source: &'static str,
}

/// Every built-in rule, for documentation and audits.
pub fn rules() -> impl Iterator<Item = RuleInfo> {
    tables()
        .map(|rule| RuleInfo {
            id: rule.id,
            matches: rule.value,
            code: rule.outcome.code,
            source: rule.source,
        })
        .chain(status::rows().map(|row| RuleInfo {
            id: row.id,
            matches: row.name,
            code: row.outcome.code,
            source: row.source,
        }))
        .chain(text::rules().map(|rule| RuleInfo {
            id: rule.id,
            matches: rule.terms[0],
            code: rule.outcome.code,
            source: rule.source,
        }))
}
