//! What a code that no table has means by its kind, where no status stands beside it.
//!
//! Channels add codes faster than tables follow, and number or spell them by kind. A guess by kind is worth more than
//! *uncertain*, which would be looked up for half an hour; it is made last and says that it is one.
//!
//! What must stay true: only codes of the channel's own form are guessed at, and a guess never retries.

use super::{
    channel::Channel,
    decide::Found,
    kept::Word,
    rules::{AUTH, Class, GONE, PAYLOAD},
    signal::Signal,
    verdict::{Certainty, DeliveryEvidence},
};

/// The class of the first code of a known kind.
pub(super) fn by_kind(signal: &Signal<'_>) -> Option<Found> {
    let channel = signal.channel?;
    let (rule, class) = signal.codes.iter().find_map(|code| match (channel, code) {
        (Channel::Discord, code) => discord(number(code)?),
        (Channel::WhatsApp, code) => whatsapp(number(code)?),
        (Channel::Matrix, Word::Text(code)) => code.starts_with("M_").then_some(("series.matrix", PAYLOAD)),
        (Channel::Slack, Word::Text(code)) => slack(code),
        // Any mistake of the user's, by signal-cli's count.
        (Channel::Signal, Word::Number(-1)) => Some(("series.signal.-1", PAYLOAD)),
        (_, Word::Text(_) | Word::Number(_)) => None,
    })?;
    Some(Found { rule, class, evidence: DeliveryEvidence::Code, certainty: Certainty::Guess })
}

fn number(code: &Word<'_>) -> Option<i64> {
    match code {
        Word::Number(number) => Some(*number),
        Word::Text(text) => text.parse().ok(),
    }
}

/// 10000: unknown things; 20000 and 60000: who may; the rest: what the request asks for.
const fn discord(code: i64) -> Option<(&'static str, Class)> {
    match code {
        20_000..30_000 | 60_000..70_000 => Some(("series.discord.2", AUTH)),
        10_000..20_000 | 30_000..60_000 | 110_000..700_000 => Some(("series.discord", PAYLOAD)),
        _ => None,
    }
}

/// 133000: the registration of the sender; 131000, 132000, 134000 and the seven digits of templates: the message.
const fn whatsapp(code: i64) -> Option<(&'static str, Class)> {
    match code {
        133_000..134_000 => Some(("series.whatsapp.133", AUTH)),
        131_000..133_000 | 134_000..140_000 | 2_388_000..2_389_000 => Some(("series.whatsapp", PAYLOAD)),
        _ => None,
    }
}

/// Slack's words say what they are about at their beginning or end.
fn slack(code: &str) -> Option<(&'static str, Class)> {
    if !code.contains('_') || !code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
        return None;
    }
    let begins = |words: &[&str]| words.iter().any(|word| code.starts_with(word));
    let ends = |words: &[&str]| words.iter().any(|word| code.ends_with(word));
    Some(
        if begins(&["channel_", "user_", "team_", "restricted_action"])
            || ends(&["_archived", "_not_in_channel"])
        {
            ("series.slack.target", GONE)
        } else if begins(&["not_allowed", "token_", "no_permission"])
            || ends(&["_denied", "_forbidden", "_unauthorized"])
        {
            ("series.slack.sender", AUTH)
        } else if begins(&[
            "invalid_",
            "missing_",
            "too_",
            "message_",
            "msg_",
            "cannot_",
            "cant_",
            "no_",
            "slack_connect_",
        ]) || ends(&[
            "_too_long",
            "_too_large",
            "_mismatch",
            "_not_supported",
            "_blocked",
            "_limit_exceeded",
        ]) {
            ("series.slack.message", PAYLOAD)
        } else {
            return None;
        },
    )
}
