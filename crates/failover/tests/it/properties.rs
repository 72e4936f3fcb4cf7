//! Properties that hold for every input.

use std::time::{Duration, SystemTime};

use moorline_failover::{Candidate, Cooldown, Key, Retry, Signal, Verdict, Why, classify, corpus::Row};
use proptest::prelude::*;

use crate::support::{all_rows, noon};

/// A structured, coded error: provider, code, class.
const CODED: &[(&str, &str)] = &[
    ("openai", "insufficient_quota"),
    ("openai", "rate_limit_exceeded"),
    ("openai", "context_length_exceeded"),
    ("anthropic", "overloaded_error"),
    ("anthropic", "authentication_error"),
    ("gemini", "API_KEY_INVALID"),
    ("gemini", "MODEL_CAPACITY_EXHAUSTED"),
    ("bedrock", "InternalServerException"),
    ("zhipu", "1113"),
    ("zhipu", "1302"),
    ("dashscope", "Arrearage"),
    ("groq", "model_decommissioned"),
];

/// Text made of the very words that rules look for.
fn loaded_text() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "rate limit",
        "429",
        "overloaded",
        "invalid api key",
        "context length exceeded",
        "timeout",
        "insufficient balance",
        "session file locked",
        "credits",
        "model not found",
        "safety system",
        "try again in 5s",
        "internal error",
        "\"quoted\"",
        "'",
        "{\"error\":",
        "频率过高",
        "\\u9891",
        "\n",
        "402",
    ]);
    prop::collection::vec(words, 0..12).prop_map(|words| words.join(" "))
}

fn headers() -> impl Strategy<Value = Vec<(String, String)>> {
    let names = prop::sample::select(vec![
        "retry-after",
        "retry-after-ms",
        "x-ratelimit-reset-requests",
        "x-ratelimit-reset",
        "anthropic-ratelimit-tokens-reset",
    ]);
    let values = prop_oneof![
        "[0-9]{1,6}",
        "[0-9]{1,3}s",
        "[0-9]m[0-9]s",
        ".{0,12}",
        Just("Sun, 06 Nov 1994 08:49:37 GMT".to_owned())
    ];
    prop::collection::vec((names.prop_map(str::to_owned), values), 0..4)
}

fn borrowed(headers: &[(String, String)]) -> Vec<(&str, &str)> {
    headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

fn a_row() -> impl Strategy<Value = Row> {
    prop::sample::select(all_rows())
}

fn a_cooldown() -> impl Strategy<Value = Cooldown> {
    (0_u64..100_000, 0_u64..100_000, 0_u32..9).prop_map(|(since, length, strikes)| Cooldown {
        key: Key { provider: "acme".to_owned(), credential: Some("key".to_owned()), model: None },
        why: Why::RateLimit,
        since: noon() + Duration::from_secs(since),
        until: noon() + Duration::from_secs(since + length),
        strikes,
    })
}

proptest! {
    /// Appending text to the message of a coded error does not change its class, scope or rule.
    #[test]
    fn words_do_not_change_a_coded_class(index in 0..CODED.len(), status in prop::sample::select(vec![400, 403, 429, 500]),
        before in loaded_text(), after in loaded_text())
    {
        let (provider, code) = CODED[index];
        let signal = Signal::status(status).from_provider(provider).with_code(code);
        let bare = classify(&signal);
        let message = format!("The call failed. {before} {after}");
        let told = classify(&signal.with_message(&message));
        prop_assert_eq!((bare.code, bare.scope, bare.rule), (told.code, told.scope, told.rule));
    }

    /// A stated delay never turns forbidden into retryable.
    #[test]
    fn a_delay_never_allows_what_is_forbidden(row in a_row(), headers in headers()) {
        let plain = row.signal(&[], classify);
        let delayed = row.signal(&borrowed(&headers), classify);
        prop_assert_eq!(plain.code, delayed.code);
        if plain.retry == Retry::Forbidden {
            prop_assert_eq!(delayed.retry, Retry::Forbidden);
        }
    }

    /// A longer Retry-After never shortens the wait.
    #[test]
    fn a_longer_delay_never_shortens_the_wait(row in a_row(), short in 0_u64..100_000, more in 0_u64..100_000) {
        let wait = |seconds: u64| {
            let value = seconds.to_string();
            row.signal(&[("retry-after", value.as_str())], classify).retry.wait(noon())
        };
        prop_assert!(wait(short) <= wait(short + more));
    }

    /// `x-should-retry: false` forbids, whatever else is said, and changes nothing else.
    #[test]
    fn the_servers_veto_holds(row in a_row(), headers in headers()) {
        let mut headers = borrowed(&headers);
        let allowed = row.signal(&headers, classify);
        headers.push(("X-Should-Retry", "false"));
        let vetoed = row.signal(&headers, classify);
        prop_assert_eq!(vetoed.retry, Retry::Forbidden);
        prop_assert_eq!((allowed.code, allowed.scope, allowed.rule), (vetoed.code, vetoed.scope, vetoed.rule));
    }

    /// Any bytes at all.
    #[test]
    fn classifying_never_fails(status in prop::option::of(any::<u16>()), provider in ".{0,20}", code in ".{0,20}",
        message in ".{0,200}", body in prop::collection::vec(any::<u8>(), 0..400))
    {
        let signal = Signal { status, provider: Some(&provider), code: Some(&code), message: Some(&message),
            body: Some(&body), ..Signal::default() };
        let verdict = classify(&signal);
        prop_assert_eq!(classify(&signal), verdict);
    }

    /// Serialising keeps class, scope, retry and rule.
    #[test]
    fn a_verdict_survives_serialising(row in a_row(), headers in headers()) {
        let verdict = row.signal(&borrowed(&headers), classify);
        let json = serde_json::to_string(&verdict).expect("a verdict is JSON");
        let back: Verdict = serde_json::from_str(&json).expect("and reads back");
        prop_assert_eq!(back, verdict);
    }

    /// Merging cooldowns is commutative, associative and idempotent.
    #[test]
    fn merging_is_a_join(a in a_cooldown(), b in a_cooldown(), c in a_cooldown()) {
        prop_assert_eq!(a.merge(&b), b.merge(&a));
        prop_assert_eq!(a.merge(&b).merge(&c), a.merge(&b.merge(&c)));
        prop_assert_eq!(a.merge(&a), a);
    }

    /// A restart under any clock leaves at most what was meant.
    #[test]
    fn a_restart_never_prolongs(cooldown in a_cooldown(), clock in 0_u64..400_000) {
        let meant = cooldown.until.duration_since(cooldown.since).expect("it ends after it begins");
        let now = noon() - Duration::from_secs(200_000) + Duration::from_secs(clock);
        let reread = cooldown.rebased(now).unwrap_or(cooldown);
        prop_assert!(reread.remaining(now) <= meant);
        // And it does end; a second is how far apart two looks at the clock may be.
        prop_assert!(reread.remaining(now + meant + Duration::from_secs(1)).is_zero());
    }

    /// A stated end is obeyed to the second.
    #[test]
    fn a_stated_end_is_the_end(seconds in 0_u64..1_000_000) {
        let value = seconds.to_string();
        let headers = [("retry-after", value.as_str())];
        let verdict = classify(&Signal::status(429).from_provider("acme").with_headers(&headers));
        let candidate = Candidate::new("acme", "model", "key");
        let cooldown = Cooldown::after(&verdict, &candidate, &[], noon()).expect("a rate limit cools");
        prop_assert_eq!(cooldown.until, noon() + Duration::from_secs(seconds));
    }
}

#[test]
fn a_date_in_the_past_means_now() {
    let headers = [("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")];
    let verdict = classify(&Signal::status(503).with_headers(&headers));
    assert_eq!(verdict.retry.wait(noon()), Some(Duration::ZERO));
    assert!(
        matches!(verdict.retry, Retry::At(time) if time < SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000))
    );
}
