//! Delivery classification: from a foreign channel error to a [`DeliveryVerdict`].
//!
//! Order, strongest first: our own code; a field that settles it (a new chat id); the channel's documented code; a rate
//! limit by status; the channel's documented text; errors of the gateway and the transport; the status alone; words that
//! mean a passing fault wherever they stand; nothing.
//! Text comes after structure and is anchored to where a text begins ([`text`]). A stated delay only ever *adds* a
//! wait to an error that is retried anyway: it cannot turn a refusal into a retry.
//!
//! What must stay true: an error that nobody recognises is `delivery.uncertain` with effect *possible*. Unknown never
//! acts, so it is looked up and not resent.

mod bluebubbles;
mod channel;
mod common;
mod dingtalk;
mod discord;
mod email;
mod embedded;
mod feishu;
mod gateway;
mod googlechat;
mod index;
mod irc;
mod kept;
mod keys;
mod line;
mod matrix;
mod mattermost;
mod messenger;
mod nextcloud;
mod nostr;
mod push;
mod rocketchat;
mod rules;
mod scan;
mod series;
mod signal;
mod signal_messenger;
mod slack;
mod sms;
mod status;
mod teams;
mod telegram;
mod text;
mod transport;
mod twitch;
mod verdict;
mod viber;
mod webex;
mod webhook;
mod wecom;
mod whatsapp;
mod xmpp;
mod zalo;
mod zulip;

mod decide;

use moorline_taxonomy::{AnnounceVerdict, Effect, policy};
use serde_json::Value;

use channel::Channel;
use signal::Signal;

pub use rules::{DeliveryRule, delivery_rules};
pub use verdict::{Certainty, DeliveryEvidence, DeliveryVerdict, Scope};

/// What a channel's error means for the message.
///
/// `error` is a JSON string or an object with any of `channel status code text message body headers retry_after ...`, as
/// clients report it. Pure, and bounded for any input.
///
/// ```
/// use moorline_announce::{Scope, classify_delivery};
/// use moorline_taxonomy::Delivery;
/// let verdict = classify_delivery(&serde_json::json!({
///     "channel": "discord", "status": 429,
///     "body": {"message": "You are being rate limited.", "retry_after": 1.5, "global": true},
/// }));
/// assert_eq!(verdict.code, Delivery::RateLimited);
/// assert_eq!(verdict.retry_after.map(|delay| delay.as_millis()), Some(1500));
/// assert_eq!(verdict.scope, Some(Scope::Global));
/// ```
#[must_use]
pub fn classify_delivery(error: &Value) -> DeliveryVerdict {
    let mut signal = Signal::EMPTY;
    signal.read(error);
    let (found, said) = decide::decide(&signal);
    let class = found.class;
    let retried = policy(class.code.into(), Effect::None).announce == AnnounceVerdict::Retry;
    DeliveryVerdict {
        code: class.code,
        effect: class.effect.max(signal.effect),
        retry_after: said.retry_after.filter(|_| retried),
        scope: class.scope.map(|scope| signal.scope.unwrap_or(scope)),
        moved_to: said.moved_to.filter(|_| class.code == moorline_taxonomy::Delivery::TargetMoved),
        channel: signal.channel.map(Channel::as_str),
        rule: found.rule,
        evidence: found.evidence,
        certainty: found.certainty,
    }
}
