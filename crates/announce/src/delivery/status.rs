//! What an HTTP status means when nothing else decides.
//!
//! A function and not a table: every status has an answer, so the match shows that none is missing. The option not taken
//! is one answer for all channels: the Bot API and a few others say something of their own with 403, 404 or 409.

use super::{
    channel::Channel,
    decide::Found,
    rules::{
        AUTH, BROKEN, Class, DONE, GONE, LIMITED_BOT, LIMITED_CHAT, MOVED, PAYLOAD, TRANSIENT, UNCERTAIN,
    },
    verdict::{Certainty, DeliveryEvidence},
};

/// 429 is a rate limit whatever the text beside it says.
pub(super) fn limited(channel: Option<Channel>) -> Found {
    // Telegram and Discord count per chat first; the others per app or account.
    let per_chat = matches!(channel, Some(Channel::Telegram | Channel::Discord));
    let class = if per_chat { LIMITED_CHAT } else { LIMITED_BOT };
    Found { rule: "status.429", class, evidence: DeliveryEvidence::Status, certainty: Certainty::Certain }
}

/// What a status alone says. `None` for one that is no failure.
pub(super) fn alone(channel: Option<Channel>, status: u16) -> Option<Found> {
    let (rule, class) = class(channel, status)?;
    let certainty = if rule.ends_with("xx") { Certainty::Guess } else { Certainty::Likely };
    Some(Found { rule, class, evidence: DeliveryEvidence::Status, certainty })
}

const fn class(channel: Option<Channel>, status: u16) -> Option<(&'static str, Class)> {
    Some(match (status, channel) {
        // For good; 302 and 307 are for now, and who did not follow them knows nothing.
        (301 | 308, _) => ("status.308", MOVED),
        // The Bot API answers 403 for one chat only and 404 for a token that is not one.
        (403, Some(Channel::Telegram | Channel::Teams)) => ("status.403.chat", GONE),
        (404, Some(Channel::Telegram)) => ("status.404.token", AUTH),
        (401 | 407, _) => ("status.401", AUTH),
        (402, _) => ("status.402", AUTH),
        (403, _) => ("status.403", AUTH),
        (404, _) => ("status.404", GONE),
        // With a retry key, LINE says so of a message that it has already.
        (409, Some(Channel::Line)) => ("status.409.accepted", DONE),
        (408, _) => ("status.408", BROKEN),
        (409, _) => ("status.409", UNCERTAIN),
        (410, _) => ("status.410", GONE),
        (412, Some(Channel::Teams)) => ("status.412", TRANSIENT),
        // Signal's servers say with it that too much is sent, as they do with 429.
        (413, Some(Channel::Signal)) => ("status.413.limited", LIMITED_BOT),
        (413, _) => ("status.413", PAYLOAD),
        (420, _) => ("status.420", LIMITED_BOT),
        (423 | 425, _) => ("status.425", TRANSIENT),
        // The web client of WhatsApp ends its connection with these: another client took it over, or it was lost.
        (440, Some(Channel::WhatsApp)) => ("status.440.replaced", TRANSIENT),
        (428, Some(Channel::WhatsApp)) => ("status.428.closed", BROKEN),
        (429, _) => ("status.429", LIMITED_BOT),
        // A client that closed the request, as nginx and others count it.
        (499, _) => ("status.499", UNCERTAIN),
        (400..=499, _) => ("status.4xx", PAYLOAD),
        (501 | 505, _) => ("status.501", PAYLOAD),
        (503 | 521 | 523, _) => ("status.503", TRANSIENT),
        (529, _) => ("status.529", TRANSIENT),
        (500..=599, _) => ("status.5xx", BROKEN),
        (0..=399 | 600.., _) => return None,
    })
}
