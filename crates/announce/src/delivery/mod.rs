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

mod channel;
mod discord;
mod feishu;
mod gateway;
mod line;
mod matrix;
mod rules;
mod signal;
mod signal_messenger;
mod slack;
mod teams;
mod telegram;
mod text;
mod transport;
mod verdict;
mod whatsapp;

use moorline_taxonomy::{AnnounceVerdict, Code, Delivery, Effect, policy};
use serde_json::Value;

use channel::Channel;
use rules::{Class, Rule};
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
    let signal = Signal::read(error);
    let found = decide(&signal);
    let class = found.class;
    let retried = matches!(policy(class.code.into(), Effect::None).announce, AnnounceVerdict::Retry);
    DeliveryVerdict {
        code: class.code,
        effect: class.effect,
        retry_after: signal.retry_after.filter(|_| retried),
        scope: class.scope.map(|scope| signal.scope.unwrap_or(scope)),
        moved_to: signal.moved_to.filter(|_| class.code == Delivery::TargetMoved),
        rule: found.rule,
        evidence: found.evidence,
        certainty: found.certainty,
    }
}

struct Found {
    class: Class,
    rule: &'static str,
    evidence: DeliveryEvidence,
    certainty: Certainty,
}

impl Found {
    fn new(rule: &'static str, class: Class, evidence: DeliveryEvidence, certainty: Certainty) -> Self {
        Self { class, rule, evidence, certainty }
    }

    fn by(rule: &Rule, evidence: DeliveryEvidence, certainty: Certainty) -> Self {
        Self::new(rule.id, rule.class, evidence, certainty)
    }
}

fn decide(signal: &Signal) -> Found {
    ours(signal)
        .or_else(|| moved(signal))
        .or_else(|| by_code(signal))
        .or_else(|| limited(signal))
        .or_else(|| by_text(signal))
        .or_else(|| by_layer(signal))
        .or_else(|| by_status(signal))
        .or_else(|| by_mention(signal))
        .unwrap_or_else(|| Found::new("none", rules::UNCERTAIN, DeliveryEvidence::None, Certainty::Guess))
}

/// An error of ours that came back as JSON.
fn ours(signal: &Signal) -> Option<Found> {
    let delivery = signal.codes.iter().find_map(|code| match code.parse() {
        Ok(Code::Delivery(delivery)) => Some(delivery),
        Ok(
            Code::Coordination(_)
            | Code::Cancelled(_)
            | Code::Local(_)
            | Code::Request(_)
            | Code::Provider(_),
        )
        | Err(_) => None,
    })?;
    let effect = if delivery == Delivery::Uncertain { Effect::Possible } else { Effect::None };
    let class = Class { code: delivery, effect, scope: None };
    Some(Found::new("wire.code", class, DeliveryEvidence::Code, Certainty::Certain))
}

fn moved(signal: &Signal) -> Option<Found> {
    signal.moved_to.as_ref()?;
    Some(Found::new("telegram.migrate_to_chat_id", rules::MOVED, DeliveryEvidence::Code, Certainty::Certain))
}

fn by_code(signal: &Signal) -> Option<Found> {
    let channel = signal.channel?;
    let rule = signal.codes.iter().find_map(|code| rules::by_code(channel, normal(channel, code)))?;
    about_target(signal, rule).or(Some(Found::by(rule, DeliveryEvidence::Code, Certainty::Certain)))
}

/// A code with two meanings, beside a text that says it is the target's: the room of Matrix's `M_FORBIDDEN`, the
/// receiver of Feishu's wrong parameter.
fn about_target(signal: &Signal, rule: &Rule) -> Option<Found> {
    let says =
        |words: &str| signal.messages.iter().any(|message| message.to_ascii_lowercase().contains(words));
    let name = match rule.id {
        "matrix.M_FORBIDDEN" if matrix::ROOM_WORDS.into_iter().any(says) => "matrix.room",
        "feishu.230001" if says(feishu::RECEIVER_WORDS) => "feishu.receiver",
        _ => return None,
    };
    Some(Found::new(name, rules::GONE, DeliveryEvidence::Text, Certainty::Likely))
}

/// A code as its table writes it.
fn normal(channel: Channel, code: &str) -> &str {
    // The Graph API reserves 200 to 299 for permissions.
    let permission =
        || code.len() == 3 && code.starts_with('2') && code.bytes().all(|digit| digit.is_ascii_digit());
    if channel == Channel::WhatsApp && permission() { "200" } else { code }
}

/// 429 is a rate limit whatever the text beside it says.
fn limited(signal: &Signal) -> Option<Found> {
    if signal.status != Some(429) {
        return None;
    }
    let class = match signal.channel {
        // Telegram and Discord count per chat first; the others per app or account.
        Some(Channel::Telegram | Channel::Discord) => rules::LIMITED_CHAT,
        Some(
            Channel::Slack
            | Channel::WhatsApp
            | Channel::Matrix
            | Channel::Signal
            | Channel::Teams
            | Channel::Feishu
            | Channel::Line
            | Channel::Gateway
            | Channel::Transport,
        )
        | None => rules::LIMITED_BOT,
    };
    Some(Found::new("status.429", class, DeliveryEvidence::Status, Certainty::Certain))
}

fn by_text(signal: &Signal) -> Option<Found> {
    let asked = |channel| match signal.channel {
        Some(known) => channel == known,
        // An error without a channel may be of any; one of a channel without a table is of none.
        None => !signal.names_channel && !matches!(channel, Channel::Gateway | Channel::Transport),
    };
    signal.messages.iter().find_map(|message| {
        let rule = code_in(asked, message).or_else(|| rules::by_text(asked, message))?;
        about_target(signal, rule).or(Some(Found::by(rule, DeliveryEvidence::Text, Certainty::Likely)))
    })
}

/// Channels whose codes are words.
const SPELLED: [Channel; 4] = [Channel::Slack, Channel::Matrix, Channel::Teams, Channel::Signal];

/// A documented code that survived only as a word of the text. Codes that are plain words or numbers need more than
/// that, so only the unmistakable ones count.
fn code_in(asked: impl Fn(Channel) -> bool, message: &str) -> Option<&'static Rule> {
    text::words(message).filter(|word| unmistakable(word)).find_map(|word| {
        SPELLED
            .into_iter()
            .filter(|channel| asked(*channel))
            .find_map(|channel| rules::by_code(channel, word))
    })
}

fn unmistakable(word: &str) -> bool {
    let capitals = word.bytes().filter(u8::is_ascii_uppercase).count();
    word.contains('_') || matches!(word, "ratelimited" | "accesslimited") || (capitals >= 2 && word.len() > 8)
}

/// What the gateway or the transport says beneath or instead of the channel.
fn by_layer(signal: &Signal) -> Option<Found> {
    let layers = [Channel::Gateway, Channel::Transport];
    let code = |code: &String| layers.into_iter().find_map(|layer| rules::by_code(layer, code));
    if let Some(rule) = signal.codes.iter().find_map(code) {
        return Some(Found::by(rule, DeliveryEvidence::Transport, Certainty::Likely));
    }
    // Texts of the transport are everybody's words, so a status speaks first; the gateway's are its own.
    let text = |layer: Channel| {
        signal.messages.iter().find_map(|message| rules::by_text(|channel| channel == layer, message))
    };
    if let Some(rule) = text(Channel::Gateway) {
        return Some(Found::by(rule, DeliveryEvidence::Text, Certainty::Likely));
    }
    let errno = |message: &String| {
        // Every one of them begins with a capital letter.
        let spelled =
            text::words(message).filter(|word| word.starts_with(|first: char| first.is_ascii_uppercase()));
        spelled.into_iter().find_map(|word| rules::by_code(Channel::Transport, word))
    };
    if signal.status.is_some() {
        return None;
    }
    if let Some(rule) = text(Channel::Transport) {
        return Some(Found::by(rule, DeliveryEvidence::Text, Certainty::Guess));
    }
    let rule = signal.messages.iter().find_map(errno)?;
    Some(Found::by(rule, DeliveryEvidence::Text, Certainty::Guess))
}

fn by_status(signal: &Signal) -> Option<Found> {
    let (rule, class) = transport::by_status(signal.channel, signal.status?)?;
    let certainty = if rule.ends_with("xx") { Certainty::Guess } else { Certainty::Likely };
    Some(Found::new(rule, class, DeliveryEvidence::Status, certainty))
}

/// The last resort: words that mean a passing fault wherever they stand. Only what is retried or looked up is guessed
/// like this; a refusal for good needs better evidence.
fn by_mention(signal: &Signal) -> Option<Found> {
    let rule = signal.messages.iter().find_map(|message| {
        let message = message.to_ascii_lowercase();
        transport::MENTIONS.iter().find(|rule| text::mentions(&message, rule.key))
    })?;
    Some(Found::by(rule, DeliveryEvidence::Text, Certainty::Guess))
}
