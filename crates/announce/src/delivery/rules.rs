//! Delivery rules as data: what a rule is, the classes it may give, and the lookups.
//!
//! A rule is one row of a channel's table: a documented key (an error code, or the beginning of a documented text) and
//! its class. The tables hold what channels document and say where; docs/announce.md is rendered from them, so that an
//! operator can audit them without reading code. The option not taken is regular expressions over whole texts: they
//! match inside echoed messages, and nobody can tell which of two wins.

use moorline_taxonomy::{Delivery, Effect};

use super::{
    Scope, bluebubbles, channel::Channel, common, dingtalk, discord, email, feishu, gateway, googlechat, irc,
    line, matrix, mattermost, messenger, nextcloud, nostr, push, rocketchat, signal_messenger, slack, sms,
    teams, telegram, transport, twitch, viber, webex, webhook, wecom, whatsapp, xmpp, zalo, zulip,
};

/// What a rule says about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Class {
    pub(super) code: Delivery,
    pub(super) effect: Effect,
    pub(super) scope: Option<Scope>,
}

const fn class(code: Delivery, effect: Effect, scope: Option<Scope>) -> Class {
    Class { code, effect, scope }
}

/// The chat, or our way into it, is gone.
pub(super) const GONE: Class = class(Delivery::TargetGone, Effect::None, None);
/// The chat has another address.
pub(super) const MOVED: Class = class(Delivery::TargetMoved, Effect::None, None);
/// The sender is refused, whatever the chat.
pub(super) const AUTH: Class = class(Delivery::Auth, Effect::None, None);
/// The message is refused.
pub(super) const PAYLOAD: Class = class(Delivery::Payload, Effect::None, None);
/// Refused for now, nothing was sent.
pub(super) const TRANSIENT: Class = class(Delivery::Transient, Effect::None, None);
/// A passing fault of the channel or the network; nobody knows how far the message came.
pub(super) const BROKEN: Class = class(Delivery::Transient, Effect::Possible, None);
/// The connection broke, or its time ran out, under a request that had left.
pub(super) const CUT: Class = class(Delivery::Uncertain, Effect::Possible, None);
/// The channel or the requester is not ready yet.
pub(super) const PENDING: Class = class(Delivery::Pending, Effect::None, None);
/// The channel itself says that it may have been done.
pub(super) const UNCERTAIN: Class = class(Delivery::Uncertain, Effect::Possible, None);
/// The wanted state already holds.
pub(super) const DONE: Class = class(Delivery::Uncertain, Effect::Done, None);
/// This chat gets too many messages.
pub(super) const LIMITED_CHAT: Class = class(Delivery::RateLimited, Effect::None, Some(Scope::Chat));
/// This bot sends too many messages.
pub(super) const LIMITED_BOT: Class = class(Delivery::RateLimited, Effect::None, Some(Scope::Bot));
/// The channel sheds load.
pub(super) const LIMITED_GLOBAL: Class = class(Delivery::RateLimited, Effect::None, Some(Scope::Global));

/// One row of a table.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) id: &'static str,
    /// A code, or the beginning of a text; in a text, `*` is one word and a `$` at the end its end.
    pub(super) key: &'static str,
    /// What the channel writes beside the code, where it documents it. Matched when the code did not survive.
    pub(super) words: &'static str,
    pub(super) class: Class,
}

/// Writes the rows of a table: class by class, `"key"` or `"key": "words"`.
macro_rules! rows {
    ($channel:literal; $($class:ident { $($key:literal $(: $words:literal)?),+ $(,)? })+) => {
        &[$($($crate::delivery::rules::Rule {
            id: concat!($channel, ".", $key),
            key: $key,
            words: concat!($($words)?),
            class: $crate::delivery::rules::$class,
        }),+),+]
    };
}
pub(super) use rows;

/// The rules of one channel.
#[derive(Debug)]
pub(super) struct Table {
    /// Where the channel documents them.
    pub(super) source: &'static str,
    /// Rules by error code.
    pub(super) codes: &'static [Rule],
    /// Rules by the beginning of a text.
    pub(super) texts: &'static [Rule],
}

/// The table of a channel.
pub(super) const fn table(channel: Channel) -> &'static Table {
    match channel {
        Channel::Telegram => &telegram::TABLE,
        Channel::Discord => &discord::TABLE,
        Channel::Slack => &slack::TABLE,
        Channel::WhatsApp => &whatsapp::TABLE,
        Channel::Matrix => &matrix::TABLE,
        Channel::Signal => &signal_messenger::TABLE,
        Channel::Teams => &teams::TABLE,
        Channel::Feishu => &feishu::TABLE,
        Channel::Line => &line::TABLE,
        Channel::GoogleChat => &googlechat::TABLE,
        Channel::Mattermost => &mattermost::TABLE,
        Channel::RocketChat => &rocketchat::TABLE,
        Channel::Zulip => &zulip::TABLE,
        Channel::Webex => &webex::TABLE,
        Channel::Nextcloud => &nextcloud::TABLE,
        Channel::Messenger => &messenger::TABLE,
        Channel::Viber => &viber::TABLE,
        Channel::Zalo => &zalo::TABLE,
        Channel::DingTalk => &dingtalk::TABLE,
        Channel::WeCom => &wecom::TABLE,
        Channel::Twitch => &twitch::TABLE,
        Channel::Irc => &irc::TABLE,
        Channel::Xmpp => &xmpp::TABLE,
        Channel::Nostr => &nostr::TABLE,
        Channel::BlueBubbles => &bluebubbles::TABLE,
        Channel::Email => &email::TABLE,
        Channel::Sms => &sms::TABLE,
        Channel::Push => &push::TABLE,
        Channel::Webhook => &webhook::TABLE,
        Channel::Gateway => &gateway::TABLE,
        Channel::Common => &common::TABLE,
        Channel::Transport => &transport::TABLE,
    }
}

/// The rules that hold wherever their words stand, in the order in which they count.
pub(super) fn mentions() -> impl Iterator<Item = &'static Rule> {
    transport::MENTIONS.iter()
}

/// What a code with two meanings turns out to mean, by the words beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hint {
    /// The room of a Matrix error is the problem, and not the sender.
    Room,
    /// The receiver of a Feishu or WhatsApp message is its wrong parameter.
    Receiver,
    /// A mail is refused for what it holds.
    Content,
}

/// The words that tell.
pub(super) fn hints() -> impl Iterator<Item = (&'static str, Hint)> {
    let rooms = matrix::ROOM_WORDS.into_iter().map(|words| (words, Hint::Room));
    let receivers = feishu::RECEIVER_WORDS.into_iter().map(|words| (words, Hint::Receiver));
    rooms.chain(receivers).chain(email::CONTENT_WORDS.into_iter().map(|words| (words, Hint::Content)))
}

/// A rule as an operator reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliveryRule {
    /// The rule's name, as verdicts carry it.
    pub id: &'static str,
    /// The channel, or `gateway`, `transport` and `mention` for what is met on every channel.
    pub channel: &'static str,
    /// The code or beginning of a text that it matches.
    pub matches: &'static str,
    /// What it says.
    pub code: Delivery,
    /// May the message have been seen?
    pub effect: Effect,
    /// Who a rate limit applies to.
    pub scope: Option<Scope>,
    /// Where the channel documents it.
    pub source: &'static str,
}

/// Every rule by code or text, channel by channel. Statuses have a function instead of rows.
pub fn delivery_rules() -> impl Iterator<Item = DeliveryRule> {
    let in_tables = Channel::ALL.iter().copied().flat_map(|channel| {
        let table = table(channel);
        table.codes.iter().chain(table.texts).map(move |rule| audited(rule, channel.as_str(), table.source))
    });
    in_tables
        .chain(transport::MENTIONS.iter().map(|rule| audited(rule, "mention", transport::MENTIONS_SOURCE)))
}

fn audited(rule: &'static Rule, channel: &'static str, source: &'static str) -> DeliveryRule {
    let Class { code, effect, scope } = rule.class;
    DeliveryRule { id: rule.id, channel, matches: rule.key, code, effect, scope, source }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::delivery::index::{FILED_BY, first_bytes};

    #[test]
    fn no_rule_hides_another() {
        let mut ids = HashSet::new();
        for rule in delivery_rules() {
            assert!(ids.insert(rule.id), "{} is there twice", rule.id);
        }
        assert!(ids.len() > 400, "{} rules", ids.len());
    }

    #[test]
    fn keys_are_written_as_they_are_compared() {
        let texts = Channel::ALL.iter().copied().flat_map(|channel| table(channel).texts.iter());
        for rule in texts.chain(mentions()) {
            assert_eq!(rule.key, rule.key.to_ascii_lowercase(), "texts are compared in lower case");
            assert!(rule.key.len() > FILED_BY, "{} is too short to mean anything", rule.id);
            let filed = first_bytes(rule.key.as_bytes()).is_some_and(|first| !first.contains(&b'*'));
            assert!(filed, "{} is not filed", rule.id);
        }
    }
}
