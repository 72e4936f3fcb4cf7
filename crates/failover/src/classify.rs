//! From a signal to a verdict, in one order: provenance, veto, codes of the vendor and codes of everybody, what lies
//! nested in the body, transport, wordings, families of codes, the status; then the refiners, which say *when*.
//!
//! Pure: no clock, no state, no I/O. The option not taken is asking each rule for a score and adding them up; an order
//! can be read, and a wrong verdict names the one rule that has to change.
//!
//! What must stay true: an exact code is never overruled by words, and no refiner makes a forbidden retry possible.

use std::borrow::Cow;

use moorline_taxonomy::{Code, Local, Provider, Request};

use crate::{
    delay::{Found, headers},
    envelope::{Coded, Gather},
    matcher::{Matcher, matcher},
    rules::{Outcome, Weight, status, text::TextRule},
    signal::{Provenance, Signal, Transport},
    vendor::Vendor,
    verdict::{Certainty, Evidence, Retry, Scope, Stated, Verdict, flat_reason, may_retry},
};

/// What one failed call was.
///
/// Never fails and never panics, whatever is in the signal. Work is bounded: 64 KiB of a body are looked at, and of
/// messages 2.5 KiB are read (of one message its first 1024 and its last 512 bytes). A signal whose code is documented
/// exactly allocates nothing.
///
/// ```
/// use moorline_failover::{Retry, Scope, Signal, classify};
/// use std::time::Duration;
/// let body = br#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[{"reason":"RATE_LIMIT_EXCEEDED"},
///     {"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"40s"}]}}"#;
/// let verdict = classify(&Signal::status(429).from_provider("gemini").with_body(body));
/// assert_eq!(verdict.code.to_string(), "provider.rate_limit");
/// assert_eq!(verdict.scope, Scope::Model);
/// assert_eq!(verdict.retry, Retry::After(Duration::from_secs(40)));
/// assert_eq!(verdict.rule, "google/RATE_LIMIT_EXCEEDED");
/// ```
#[must_use]
pub fn classify(signal: &Signal<'_>) -> Verdict {
    classify_with(signal, None)
}

/// [`classify`], with a class that the caller's own table gave.
pub(crate) fn classify_with(signal: &Signal<'_>, own: Option<Decided>) -> Verdict {
    if let Provenance::Ours(code) = signal.provenance {
        return Verdict {
            code,
            reason: flat_reason(code).map(Cow::Borrowed),
            scope: Scope::Request,
            retry: Retry::Forbidden,
            stated: None,
            evidence: Evidence::Provenance,
            certainty: Certainty::Certain,
            rule: Cow::Borrowed("provenance"),
            model_specific: false,
            unparsable_delays: 0,
        };
    }
    let vendor = Vendor::of(signal.provider);
    let stated = Coded::stated(signal, vendor);
    let headers::Said { veto, delay } = headers::read(signal, vendor);
    // An exact code ends the search: what is read after it can only say when, and only where that could be used.
    let exact = own.or_else(|| {
        let exact = stated.filter(|stated| stated.weight() == Weight::Exact)?;
        Some(never_satisfiable(signal, exact.decided()))
    });
    let nothing_to_read = signal.message.is_none() && signal.body.is_none();
    let exact = match exact {
        Some(decided)
            if nothing_to_read
                || !decided.outcome.model_specific
                    && (delay.stated.is_some() || !may_retry(decided.outcome.code)) =>
        {
            return finish(decided, delay, veto, false);
        }
        exact => exact,
    };
    read_all(signal, vendor, stated, exact, delay, veto)
}

/// The rest of the way: message and body. Apart from the way of a documented code, which needs none of its room.
#[inline(never)]
fn read_all(
    signal: &Signal<'_>,
    vendor: Vendor,
    stated: Option<Coded>,
    exact: Option<Decided>,
    mut delay: Found,
    veto: bool,
) -> Verdict {
    let mut gather = Gather::new(vendor, signal.status, matcher(), stated);
    if let Some(message) = signal.message {
        gather.message(message.as_bytes());
    }
    if let Some(body) = signal.body {
        gather.body(body);
    }
    let decided = exact.unwrap_or_else(|| decide(signal, vendor, &gather, matcher()));
    let decided = worded_otherwise(signal, vendor, &gather, decided);
    if delay.stated.is_none() {
        add(&mut delay, gather.delay());
    }
    // A sentence's delay counts only where one can be used: elsewhere it is about something else.
    if delay.stated.is_none() && may_retry(decided.outcome.code) {
        add(&mut delay, gather.seen.delay());
    }
    finish(decided, delay, veto, gather.upstream)
}

/// A class and how it came about.
pub(crate) struct Decided {
    pub(crate) outcome: Outcome,
    pub(crate) evidence: Evidence,
    pub(crate) certainty: Certainty,
    pub(crate) rule: Cow<'static, str>,
}

impl Decided {
    fn by(outcome: Outcome, evidence: Evidence, certainty: Certainty, rule: &'static str) -> Self {
        Self { outcome, evidence, certainty, rule: Cow::Borrowed(rule) }
    }
}

fn decide(signal: &Signal<'_>, vendor: Vendor, gather: &Gather<'_>, matcher: &Matcher) -> Decided {
    let believed = signal.provenance != Provenance::Foreign || evidence_of_a_call(signal);
    // Without evidence of a call, only a code of a model provider's own counts: an errno or a bare error name does not.
    let coded = gather.coded().filter(|coded| believed || coded.is_telling());
    if let Some(coded) = coded.filter(|coded| coded.weight() == Weight::Exact) {
        return never_satisfiable(signal, coded.decided());
    }
    if let Some(transport) = signal.transport {
        return by_transport(transport);
    }
    let stated_status = signal.status.filter(|status| *status >= 400);
    let status = stated_status.or(gather.inner_status()).or(gather.text_status);
    let words = matcher.decide(&gather.seen, status, vendor);
    // A request that is refused by name quotes what was wrong with it. Such a quote may say which refusal it is, and
    // never that the provider failed.
    let refused = status == Some(400) && coded.is_some_and(|coded| coded.is_refusal());
    let words = if refused && words.is_some_and(|rule| says_provider_failed(rule.outcome.code)) {
        matcher.decide_unquoted(&gather.seen, status, vendor)
    } else {
        words
    };
    let words = words.filter(|rule| believed || rule.alone);
    if let Some(rule) = words.filter(|rule| !rule.vague) {
        return by_words(rule);
    }
    if let Some(coded) = coded.filter(|coded| coded.weight() == Weight::Broad) {
        return coded.decided();
    }
    if let Some(row) = status.filter(|_| believed).and_then(status::of) {
        return Decided::by(row.outcome, Evidence::Status, row.certainty, row.id);
    }
    if let Some(coded) = coded {
        return coded.decided();
    }
    if let Some(rule) = words {
        return by_words(rule);
    }
    nothing_known(signal)
}

/// Whether this class is a fault of the provider or of the account, and none of the request.
fn says_provider_failed(code: Code) -> bool {
    matches!(
        code,
        Code::Provider(
            Provider::Overloaded
                | Provider::ServerError
                | Provider::RateLimit
                | Provider::Timeout
                | Provider::Auth
                | Provider::AuthPermanent
        )
    )
}

/// A limit per minute that the one request exceeds: the code says rate limit, and no wait helps.
fn never_satisfiable(signal: &Signal<'_>, decided: Decided) -> Decided {
    let too_large = signal.status == Some(413)
        || signal.message.is_some_and(|message| {
            message.get(..17).is_some_and(|head| head.eq_ignore_ascii_case("request too large"))
        });
    if decided.outcome.code == Code::Provider(Provider::RateLimit) && too_large {
        return Decided { outcome: Outcome::of(Code::Request(Request::Unsatisfiable)), ..decided };
    }
    decided
}

/// What words still say of an exact code. Only these: a limit that no wait satisfies, wherever the words stand; and an
/// organization that has to be verified, which OpenAI reports as a value that the model does not take.
fn worded_otherwise(signal: &Signal<'_>, vendor: Vendor, gather: &Gather<'_>, decided: Decided) -> Decided {
    let wanted = if decided.outcome.code == Code::Provider(Provider::RateLimit) {
        Code::Request(Request::Unsatisfiable)
    } else if decided.outcome.model_specific {
        Code::Provider(Provider::Auth)
    } else {
        return decided;
    };
    let words = matcher().decide(&gather.seen, signal.status.or(gather.text_status), vendor);
    match words.filter(|rule| rule.outcome.code == wanted) {
        Some(rule) => Decided { outcome: rule.outcome, ..decided },
        None => decided,
    }
}

fn by_transport(transport: Transport) -> Decided {
    let (outcome, rule) = match transport {
        Transport::TlsTrust => (Outcome::of(Code::Local(Local::TlsTrust)), "transport/tls_trust"),
        Transport::Dns => (Outcome::of(Code::Provider(Provider::Timeout)), "transport/dns"),
        Transport::Connect => (Outcome::of(Code::Provider(Provider::Timeout)), "transport/connect"),
        Transport::Tls => (Outcome::of(Code::Provider(Provider::Timeout)), "transport/tls"),
        Transport::TimedOut => (Outcome::of(Code::Provider(Provider::Timeout)), "transport/timed_out"),
        Transport::Broken => (Outcome::of(Code::Provider(Provider::Timeout)), "transport/broken"),
        Transport::Protocol => (Outcome::of(Code::Provider(Provider::Timeout)), "transport/protocol"),
    };
    Decided::by(outcome, Evidence::Transport, Certainty::Certain, rule)
}

fn by_words(rule: &'static TextRule) -> Decided {
    let certainty = if rule.vague { Certainty::Guess } else { Certainty::Likely };
    Decided::by(rule.outcome, Evidence::Text, certainty, rule.id)
}

fn nothing_known(signal: &Signal<'_>) -> Decided {
    let silent = signal.message.is_none_or(|message| message.trim().is_empty())
        && signal.body.is_none_or(|body| body.trim_ascii().is_empty())
        && signal.code.is_none()
        && signal.kind.is_none();
    if silent && signal.status.is_some_and(|status| (200..300).contains(&status)) {
        let outcome = Outcome::of(Code::Provider(Provider::EmptyResponse));
        return Decided::by(outcome, Evidence::Status, Certainty::Likely, "status/empty");
    }
    let code = match signal.provenance {
        Provenance::Foreign if !evidence_of_a_call(signal) => Code::Local(Local::Unclassified),
        Provenance::Foreign | Provenance::ProviderCall | Provenance::Ours(_) => {
            Code::Provider(Provider::Unknown)
        }
    };
    Decided::by(Outcome::of(code), Evidence::None, Certainty::Guess, "none")
}

/// Whether anything shows that a provider was called, when the call site does not say so.
fn evidence_of_a_call(signal: &Signal<'_>) -> bool {
    signal.status.is_some()
        || signal.provider.is_some_and(|name| !name.trim().is_empty())
        || signal.transport.is_some()
}

/// The refiners: the scope of a quoted upstream, the veto, and when to try again.
fn finish(decided: Decided, delay: Found, veto: bool, upstream: bool) -> Verdict {
    let Decided { outcome, evidence, certainty, rule } = decided;
    let retryable = may_retry(outcome.code) && !veto;
    let quoted = upstream && matches!(outcome.code, Code::Provider(_));
    Verdict {
        code: outcome.code,
        reason: outcome.known_as.or(flat_reason(outcome.code)).map(Cow::Borrowed),
        scope: if quoted { Scope::Upstream } else { outcome.scope },
        retry: if retryable { retry(delay.stated) } else { Retry::Forbidden },
        stated: delay.stated,
        evidence,
        certainty,
        rule,
        model_specific: outcome.model_specific,
        unparsable_delays: delay.unparsable,
    }
}

fn add(delay: &mut Found, more: Found) {
    delay.stated = more.stated;
    delay.unparsable = delay.unparsable.saturating_add(more.unparsable);
}

fn retry(stated: Option<Stated>) -> Retry {
    match stated {
        Some(Stated::After(delay)) if delay.is_zero() => Retry::Now,
        Some(Stated::After(delay)) => Retry::After(delay),
        Some(Stated::At(time)) => Retry::At(time),
        None => Retry::Backoff,
    }
}
