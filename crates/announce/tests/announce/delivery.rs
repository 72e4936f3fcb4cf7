//! Classification beyond the corpus: shapes that clients wrap errors in, delays, traps, bounds.

use std::time::Duration;

use moorline_announce::{
    Certainty, DeliveryEvidence, DeliveryVerdict, Scope, classify_delivery, delivery_rules,
};
use moorline_taxonomy::{
    Delivery::{self, Auth, Payload, Pending, RateLimited, TargetGone, TargetMoved, Transient, Uncertain},
    Effect,
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn check(cases: &[(Value, Delivery, Effect)]) {
    for (error, code, effect) in cases {
        let verdict = classify_delivery(error);
        assert_eq!((verdict.code, verdict.effect), (*code, *effect), "{error} by {}", verdict.rule);
    }
}

#[test]
fn one_answer_in_the_shapes_of_many_clients() {
    let (none, possible) = (Effect::None, Effect::Possible);
    check(&[
        (
            json!("Call to 'sendMessage' failed! (403: Forbidden: bot was blocked by the user)"),
            TargetGone,
            none,
        ),
        (
            json!({"error_code": 403, "description": "Forbidden: bot was kicked from the group chat"}),
            TargetGone,
            none,
        ),
        (
            json!({"channel": "telegram", "name": "GrammyError", "message": "409: Conflict: terminated by other getUpdates request"}),
            Transient,
            none,
        ),
        (
            json!({"channel": "telegram", "body": "{\"ok\":false,\"error_code\":401,\"description\":\"Unauthorized\"}"}),
            Auth,
            none,
        ),
        (json!("DiscordAPIError[50007]: Cannot send messages to this user"), TargetGone, none),
        (
            json!({"channel": "discord", "rawError": {"message": "Missing Access", "code": 50001}, "status": 403}),
            TargetGone,
            none,
        ),
        (
            json!({"channel": "discord", "message": "Invalid Form Body", "code": 50035, "errors": {"content": {"_errors": [{"code": "BASE_TYPE_MAX_LENGTH", "message": "Must be 2000 or fewer in length."}]}}}),
            Payload,
            none,
        ),
        (json!("An API error occurred: channel_not_found"), TargetGone, none),
        (
            json!({"channel": "slack", "code": "slack_webapi_platform_error", "data": {"ok": false, "error": "msg_too_long"}}),
            Payload,
            none,
        ),
        (json!({"ok": false, "error": "not_in_channel"}), TargetGone, none),
        (
            json!({"channel": "whatsapp", "error": {"message": "(#131030) Recipient phone number not in allowed list", "type": "OAuthException", "code": 131030, "fbtrace_id": "A"}}),
            TargetGone,
            none,
        ),
        (
            json!({"channel": "whatsapp", "errors": [{"code": 131047, "title": "Re-engagement message"}]}),
            Payload,
            none,
        ),
        (json!("MatrixError: [403] M_FORBIDDEN: User @bot:x not in room !r:x"), TargetGone, none),
        (
            json!({"errcode": "M_LIMIT_EXCEEDED", "error": "Too Many Requests", "retry_after_ms": 1873}),
            RateLimited,
            none,
        ),
        (
            json!({"channel": "matrix", "body": {"errcode": "M_FORBIDDEN", "error": "You don't have permission to post that to the room."}}),
            TargetGone,
            none,
        ),
        (
            json!({"channel": "signal", "message": "Failed to send message due to untrusted identities"}),
            Auth,
            none,
        ),
        (
            json!({"channel": "msteams", "status": 403, "error": {"code": "BotNotInConversationRoster", "message": "The bot is not part of the conversation roster."}}),
            TargetGone,
            none,
        ),
        (
            json!("GatewayClientRequestError: Error: No active WhatsApp Web listener (account: default)."),
            Pending,
            none,
        ),
        (
            json!({"channel": "telegram", "message": "Network request for 'sendMessage' failed!"}),
            Transient,
            possible,
        ),
        (
            json!({"cause": {"code": "ECONNREFUSED", "message": "connect ECONNREFUSED 127.0.0.1:443"}, "message": "fetch failed"}),
            Transient,
            none,
        ),
        (json!({"code": "ECONNRESET", "message": "read ECONNRESET"}), Uncertain, possible),
        (
            json!({"code": "ETIMEDOUT", "syscall": "connect", "message": "connect ETIMEDOUT 1.2.3.4:443"}),
            Transient,
            none,
        ),
        (json!({"channel": "slack", "status": 429, "effect": "possible"}), RateLimited, possible),
        (json!({"channel": "webchat", "status": 503, "text": "<html>unavailable</html>"}), Transient, none),
        (json!({"channel": "webchat", "status": 502}), Transient, possible),
        (json!({"code": "delivery.target_gone", "message": "ours"}), TargetGone, none),
    ]);
}

#[test]
fn a_text_that_merely_quotes_another_error_is_not_that_error() {
    let none = Effect::None;
    check(&[
        (
            json!({"channel": "telegram", "text": "bot error: could not remember the thread"}),
            Uncertain,
            Effect::Possible,
        ),
        (
            json!({"channel": "telegram", "status": 400, "text": "Bad Request: can't parse entities: chat not found, bot was blocked by the user"}),
            Payload,
            none,
        ),
        (
            json!({"channel": "telegram", "status": 400, "text": "Bad Request: message is too long", "request": {"text": "Too Many Requests: retry after 5"}}),
            Payload,
            none,
        ),
        (
            json!({"channel": "discord", "code": 50006, "message": "Cannot send an empty message", "params": {"content": "rate limited"}}),
            Payload,
            none,
        ),
        (
            json!({"channel": "slack", "error": "invalid_blocks", "response_metadata": {"messages": ["[ERROR] channel_not_found is no block"]}}),
            Payload,
            none,
        ),
        (
            json!({"channel": "discord", "status": 400, "message": "tool text_editor_20250429 is unknown"}),
            Payload,
            none,
        ),
        (
            json!({"channel": "whatsapp", "status": 400, "message": "recipient 131031 is unknown to 190"}),
            Payload,
            none,
        ),
    ]);
}

fn limited(error: &Value) -> DeliveryVerdict {
    let verdict = classify_delivery(error);
    assert_eq!(verdict.code, RateLimited, "{error}");
    verdict
}

#[test]
fn the_stated_pause_and_its_scope_of_every_channel() {
    let (chat, bot, global) = (Scope::Chat, Scope::Bot, Scope::Global);
    for (error, millis, scope) in [
        (
            json!({"channel": "telegram", "error_code": 429, "parameters": {"retry_after": 35}, "description": "Too Many Requests: retry after 35"}),
            35_000,
            chat,
        ),
        (json!("Too Many Requests: retry after 7"), 7_000, chat),
        (
            json!({"channel": "discord", "status": 429, "body": {"message": "You are being rate limited.", "retry_after": 64.57, "global": false}}),
            64_570,
            chat,
        ),
        (
            json!({"channel": "discord", "status": 429, "headers": {"Retry-After": "65", "X-RateLimit-Scope": "user"}}),
            65_000,
            bot,
        ),
        (
            json!({"channel": "discord", "status": 429, "headers": {"retry-after": "1", "x-ratelimit-global": "true"}}),
            1_000,
            global,
        ),
        (json!({"channel": "discord", "code": 20028, "retry_after": 3}), 3_000, chat),
        (
            json!({"channel": "slack", "status": 429, "headers": {"retry-after": ["30"]}, "error": "ratelimited"}),
            30_000,
            bot,
        ),
        (
            json!({"channel": "slack", "code": "slack_webapi_rate_limited_error", "retryAfter": 12}),
            12_000,
            bot,
        ),
        (
            json!({"channel": "whatsapp", "error": {"code": 131056}, "headers": {"Retry-After": 6}}),
            6_000,
            chat,
        ),
        (json!({"channel": "whatsapp", "error": {"code": 130429}, "retry_after": "9"}), 9_000, bot),
        (
            json!({"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 2000, "headers": {"Retry-After": "3"}}),
            3_000,
            bot,
        ),
        (json!({"channel": "signal", "message": "[429] Rate Limited, retry after 60 seconds"}), 60_000, bot),
        (json!({"channel": "new", "status": 429, "headers": {"Retry-After": "10"}}), 10_000, bot),
    ] {
        let verdict = limited(&error);
        assert_eq!(
            (verdict.retry_after, verdict.scope),
            (Some(Duration::from_millis(millis)), Some(scope)),
            "{error}"
        );
    }
}

#[test]
fn a_pause_never_turns_a_refusal_into_a_retry_and_nonsense_is_no_pause() {
    let gone = classify_delivery(&json!({"channel": "slack", "error": "is_archived", "retry_after": 5}));
    assert_eq!((gone.code, gone.retry_after), (TargetGone, None));
    for nonsense in
        [json!(-1), json!("soon"), json!("parameters.retry_after (seconds)"), json!(null), json!("NaN")]
    {
        let error = json!({"channel": "telegram", "status": 429, "retry_after": nonsense});
        assert_eq!(limited(&error).retry_after, None, "{error}");
    }
    let years = limited(&json!({"channel": "telegram", "status": 429, "retry_after": 1e300}));
    assert_eq!(years.retry_after, Some(Duration::from_secs(30 * 24 * 3600)));
}

#[test]
fn a_new_address_is_read_where_the_channel_states_it() {
    for error in [
        json!({"channel": "telegram", "description": "Bad Request: group chat was upgraded to a supergroup chat", "parameters": {"migrate_to_chat_id": -100_123}}),
        json!({"channel": "telegram", "body": "{\"ok\":false,\"error_code\":400,\"parameters\":{\"migrate_to_chat_id\":-100123}}"}),
        json!("The group has been migrated to a supergroup with ID #-100123"),
    ] {
        let verdict = classify_delivery(&error);
        assert_eq!((verdict.code, verdict.moved_to.as_deref()), (TargetMoved, Some("-100123")), "{error}");
    }
    let nowhere = classify_delivery(
        &json!({"channel": "telegram", "text": "Bad Request: group chat was upgraded to a supergroup chat"}),
    );
    assert_eq!((nowhere.code, nowhere.moved_to), (TargetMoved, None));
}

#[test]
fn a_verdict_says_what_it_rests_on() {
    let rests = |error: Value| {
        let verdict = classify_delivery(&error);
        (verdict.rule, verdict.evidence, verdict.certainty)
    };
    use Certainty::{Certain, Guess, Likely};
    use DeliveryEvidence::{Code, None, Status, Text, Transport};
    assert_eq!(
        rests(json!({"channel": "slack", "error": "is_archived"})),
        ("slack.is_archived", Code, Certain)
    );
    assert_eq!(
        rests(json!({"channel": "telegram", "text": "Bad Request: chat not found"})),
        ("telegram.chat not found", Text, Likely)
    );
    assert_eq!(rests(json!({"channel": "slack", "status": 401})), ("status.401", Status, Likely));
    assert_eq!(rests(json!({"channel": "slack", "status": 418})), ("status.4xx", Status, Guess));
    assert_eq!(rests(json!({"channel": "slack", "code": "EPIPE"})), ("transport.EPIPE", Transport, Likely));
    assert_eq!(rests(json!({"channel": "slack", "text": "what?"})), ("none", None, Guess));
    assert!(delivery_rules().all(|rule| !rule.source.is_empty()));
}

/// Any JSON, deep and wide, with the keys that are read.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,40}".prop_map(Value::from),
        "(Bad Request: |\\[|\\(#|code: |\\{\"error\":)?[a-z0-9_ ]{0,12}(: |\\}|\\))?".prop_map(Value::from),
    ];
    let key = prop_oneof![
        "(channel|status|code|text|message|body|headers|retry_after|error|errors|parameters|cause|migrate_to_chat_id)",
        "[a-z_]{0,8}",
    ];
    leaf.prop_recursive(8, 200, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::hash_map(key.clone(), inner, 0..8)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]
    #[test]
    fn any_json_gets_a_verdict(error in json_value()) {
        let verdict = classify_delivery(&error);
        prop_assert!(verdict.moved_to.is_none() || verdict.code == TargetMoved);
        prop_assert!(verdict.retry_after.is_none_or(|pause| pause <= Duration::from_secs(30 * 24 * 3600)));
    }

    #[test]
    fn text_beside_a_documented_code_changes_nothing(text in "\\PC{0,200}") {
        let error = json!({"channel": "slack", "error": "msg_too_long", "message": text});
        prop_assert_eq!(classify_delivery(&error).rule, "slack.msg_too_long");
    }
}

#[test]
fn the_work_is_bounded_for_hostile_input() {
    let mut deep = json!("Bad Request: chat not found");
    for _ in 0..100 {
        deep = json!({"error": deep});
    }
    assert_eq!(classify_delivery(&deep).rule, "none", "too deep to look");
    let wide = Value::Array(vec![json!({"message": ": ".repeat(10_000)}); 1000]);
    assert_eq!(classify_delivery(&wide).rule, "none");
    let nested = json!({"body": "[".repeat(1_000_000)});
    assert_eq!(classify_delivery(&nested).rule, "none");
}
