//! What `moorline classify` says about one foreign error: class, scope, retry, evidence, and what each consumer will do.
//!
//! It composes two readers and decides nothing itself. The taxonomy's reader knows locks, disks and bugs in every
//! wrapping and says where a provider answered; the classifier of this crate judges that answer. The option not taken is
//! one reader for both, which would have to weigh a lock's words against a provider's.
//!
//! What must stay true: every key is always there, and the verdicts come from the policy table alone.

mod answers;
mod parts;
mod render;

use std::{
    borrow::Cow,
    time::{Duration, SystemTime},
};

use moorline_taxonomy::{
    AnnounceVerdict, Cause, Code, Effect, QaVerdict, Verdicts, WireCode, foreign, policy,
};
use serde::Serialize;
use serde_json::Value;

pub(crate) use parts::{Parts, message_of};
pub use render::render;

use crate::{
    classify::classify,
    signal::Provenance,
    verdict::{Certainty, Retry, Scope, Verdict, flat_reason},
};

/// Where the error was met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Surface {
    /// Nobody knows; what does not show that a provider was called is local.
    #[default]
    Auto,
    /// The call of a provider failed with it.
    Provider,
}

/// The explanation of one error. Serialised, every key is present.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explained {
    /// The class.
    pub code: Code,
    /// The word before the dot of `code`.
    pub domain: &'static str,
    /// The flat reason that other programs know; null for what is not a provider's.
    pub reason: Option<Cow<'static, str>>,
    /// What is unwell; null for what is not a provider's.
    pub scope: Option<Scope>,
    /// `forbidden`, `now`, `after`, `at` or `backoff`.
    pub retry: &'static str,
    /// The stated wait in milliseconds, where one was stated and a retry is allowed.
    pub retry_after_ms: Option<u64>,
    /// What the class was read from.
    pub evidence: &'static str,
    /// How sure it is.
    pub certainty: Certainty,
    /// The rule that decided; `none` when nothing did.
    pub rule: Cow<'static, str>,
    /// What lies beneath, outermost first.
    pub causes: Vec<Cause>,
    /// What each consumer does about it.
    pub verdicts: Verdicts,
}

/// Explains an error that came as JSON: an object with any of the usual fields, or a string. `now` is needed to say how
/// far away a stated date is.
///
/// ```
/// use moorline_failover::{Surface, explain};
/// use std::time::SystemTime;
/// let line = serde_json::json!({"status": 429, "provider": "openai", "code": "insufficient_quota"});
/// let explained = explain(&line, Surface::Auto, SystemTime::UNIX_EPOCH);
/// assert_eq!(explained.code.to_string(), "provider.billing");
/// assert_eq!(explained.retry, "forbidden");
/// assert_eq!(explained.verdicts.failover.as_str(), "next");
/// ```
#[must_use]
pub fn explain(value: &Value, surface: Surface, now: SystemTime) -> Explained {
    let reading = foreign::read(value);
    let effect = effect_of(value);
    match reading {
        foreign::Reading::Ours(found) => ours(value, &found),
        foreign::Reading::Provider { layer, beside } => {
            let parts = Parts::of(layer).or_provider_of(value);
            let parts = if beside.is_empty() { parts } else { parts.without_causes(layer) };
            let verdict = judge(&parts, Provenance::ProviderCall);
            let beside = beside
                .into_iter()
                .map(|found| Cause { code: Some(WireCode::Known(found.code)), message: String::new() });
            let mut explained = theirs(value, verdict, effect, now);
            explained.causes.extend(beside);
            explained
        }
        foreign::Reading::Unknown => {
            let provenance = match surface {
                Surface::Auto => Provenance::Foreign,
                Surface::Provider => Provenance::ProviderCall,
            };
            theirs(value, judge(&Parts::of(value), provenance), effect, now)
        }
    }
}

/// A summary of several candidates is judged by the first of them that a provider failed; otherwise the whole is one.
fn judge(parts: &Parts, provenance: Provenance) -> Verdict {
    let split = parts.summary().into_iter().find_map(|part| {
        if foreign::read(&Value::String(part.text().to_owned())).code().is_some_and(is_local) {
            return None;
        }
        Some(part.with_signal(Provenance::ProviderCall, classify))
    });
    split.unwrap_or_else(|| parts.with_signal(provenance, classify))
}

fn is_local(code: Code) -> bool {
    match code {
        Code::Coordination(_) | Code::Cancelled(_) => true,
        Code::Local(_) | Code::Request(_) | Code::Provider(_) | Code::Delivery(_) => false,
    }
}

/// What lies beneath; of a summary, each candidate with its own class.
fn causes(value: &Value) -> Vec<Cause> {
    let summary = parts::summary(parts::text_of(value).unwrap_or_default()).into_iter().map(|part| {
        let code = match foreign::read(&Value::String(part.text().to_owned())).code() {
            Some(code) if is_local(code) => code,
            Some(_) | None => part.with_signal(Provenance::ProviderCall, classify).code,
        };
        Cause { code: Some(WireCode::Known(code)), message: part.text().to_owned() }
    });
    summary.chain(parts::causes(value)).collect()
}

/// An error of the taxonomy, in whatever wrapping.
fn ours(value: &Value, found: &foreign::Found) -> Explained {
    let verdicts = policy(found.code, found.effect);
    // Where a consumer retries, a retry is allowed; nobody states a delay for it unless the error did.
    let retried = verdicts.qa == QaVerdict::Retry || verdicts.announce == AnnounceVerdict::Retry;
    let retry = match (found.retry_after, retried) {
        (Some(delay), true) => Retry::After(delay),
        (None, true) => Retry::Backoff,
        (_, false) => Retry::Forbidden,
    };
    Explained {
        code: found.code,
        domain: found.code.domain().as_str(),
        reason: flat_reason(found.code).map(Cow::Borrowed),
        scope: None,
        retry: retry.as_str(),
        retry_after_ms: found.retry_after.filter(|_| retried).map(millis),
        evidence: found.evidence.as_str(),
        certainty: match found.evidence {
            foreign::Evidence::Wire
            | foreign::Evidence::Code
            | foreign::Evidence::Name
            | foreign::Evidence::Errno => Certainty::Certain,
            foreign::Evidence::Text => Certainty::Likely,
        },
        rule: Cow::Borrowed(found.rule),
        causes: causes(value),
        verdicts,
    }
}

/// What the classifier judged.
fn theirs(value: &Value, verdict: Verdict, effect: Effect, now: SystemTime) -> Explained {
    let of_a_provider = verdict.reason.is_some();
    Explained {
        code: verdict.code,
        domain: verdict.code.domain().as_str(),
        scope: of_a_provider.then_some(verdict.scope),
        retry: verdict.retry.as_str(),
        retry_after_ms: verdict.retry.wait(now).map(millis),
        evidence: verdict.evidence.as_str(),
        certainty: verdict.certainty,
        causes: causes(value),
        verdicts: policy(verdict.code, effect),
        reason: verdict.reason,
        rule: verdict.rule,
    }
}

fn effect_of(value: &Value) -> Effect {
    let word = value.get("effect").and_then(Value::as_str);
    Effect::ALL.into_iter().find(|effect| Some(effect.as_str()) == word).unwrap_or_default()
}

fn millis(delay: Duration) -> u64 {
    u64::try_from(delay.as_millis()).unwrap_or(u64::MAX)
}
