//! From the signal to a class: which of the things that an error says decides.
//!
//! Order, strongest first: our own code; a field that settles it (a new chat id); the channel's documented code; a rate
//! limit by status; the channel's documented text; codes and texts of the gateway; what many channels say in the same
//! words; the transport; the status alone; words that mean a passing fault wherever they stand; nothing. Text comes after
//! structure, and is read only where structure has not decided or left something open.
//!
//! What must stay true: pure, and nothing is allocated but a new address. A stated delay only ever *adds* a wait to an
//! error that is retried anyway: it cannot turn a refusal into a retry.

use std::{borrow::Cow, time::Duration};

use moorline_taxonomy::{AnnounceVerdict, Delivery, Effect, policy};

use super::{
    channel::Channel,
    email,
    index::index,
    kept::Word,
    rules::{self, Class, Rule},
    scan::{Asked, Scan},
    series,
    signal::{Signal, is_code},
    status,
    verdict::{Certainty, DeliveryEvidence},
};

/// What decided.
#[derive(Clone, Copy)]
pub(super) struct Found {
    pub(super) rule: &'static str,
    pub(super) class: Class,
    pub(super) evidence: DeliveryEvidence,
    pub(super) certainty: Certainty,
}

impl Found {
    const fn new(rule: &'static str, class: Class, evidence: DeliveryEvidence, certainty: Certainty) -> Self {
        Self { rule, class, evidence, certainty }
    }

    const fn by(rule: &Rule, evidence: DeliveryEvidence, certainty: Certainty) -> Self {
        Self::new(rule.id, rule.class, evidence, certainty)
    }

    fn is_retried(&self) -> bool {
        policy(self.class.code.into(), Effect::None).announce == AnnounceVerdict::Retry
    }
}

/// What stands beside the class.
pub(super) struct Beside {
    pub(super) retry_after: Option<Duration>,
    pub(super) moved_to: Option<String>,
}

/// What decides, and what stands beside it.
pub(super) fn decide(signal: &Signal<'_>) -> (Found, Beside) {
    let moved_to = |scan: Option<&Scan<'_>>| {
        let stated = signal.moved_to.as_ref().map(ToString::to_string);
        stated.or_else(|| scan.and_then(|scan| scan.moved_to).map(str::to_owned))
    };
    let structure = ours(signal).or_else(|| moved(signal)).or_else(|| by_code(signal));
    if let Some(found) = structure
        && !leaves_open(signal, &found)
    {
        return (found, Beside { retry_after: signal.retry_after, moved_to: moved_to(None) });
    }
    let scan = read(signal);
    let found = match structure {
        Some(found) => about_target(&scan, found),
        None => by_text(signal, &scan),
    };
    let stated = scan.delay.filter(|seconds| seconds.is_finite() && *seconds >= 0.0).and_then(|seconds| {
        Duration::try_from_secs_f64(seconds.min(super::signal::LONGEST_DELAY.as_secs_f64())).ok()
    });
    (found, Beside { retry_after: signal.retry_after.or(stated), moved_to: moved_to(Some(&scan)) })
}

/// An error of ours that came back as JSON.
fn ours(signal: &Signal<'_>) -> Option<Found> {
    let delivery = signal.codes.iter().find_map(|code| {
        let name = code.text()?.strip_prefix("delivery.")?;
        Delivery::ALL.iter().copied().find(|code| code.name() == name)
    })?;
    let effect = if delivery == Delivery::Uncertain { Effect::Possible } else { Effect::None };
    let class = Class { code: delivery, effect, scope: None };
    Some(Found::new("wire.code", class, DeliveryEvidence::Code, Certainty::Certain))
}

const MOVED: Found =
    Found::new("telegram.migrate_to_chat_id", rules::MOVED, DeliveryEvidence::Code, Certainty::Certain);

fn moved(signal: &Signal<'_>) -> Option<Found> {
    signal.moved_to.as_ref().map(|_| MOVED)
}

fn by_code(signal: &Signal<'_>) -> Option<Found> {
    let channel = signal.channel.filter(|channel| !channel.is_layer())?;
    let mut codes = signal.subcode.iter().chain(signal.codes.iter());
    let rule = codes.find_map(|code| rule(channel, code))?;
    Some(Found::by(rule, DeliveryEvidence::Code, Certainty::Certain))
}

/// The rule of a code in the channel's own table.
fn rule(channel: Channel, code: &Word<'_>) -> Option<&'static Rule> {
    match code {
        // The Graph API reserves 200 to 299 for permissions.
        Word::Number(200..=299) if matches!(channel, Channel::WhatsApp | Channel::Messenger) => {
            index().by_number(channel, 200)
        }
        Word::Number(number) => index().by_number(channel, *number),
        Word::Text(code) => index().by_code(channel, code).or_else(|| match code.parse() {
            Ok(number @ 200..=299) => rule(channel, &Word::Number(number)),
            Ok(_) | Err(_) => None,
        }),
    }
}

/// Whether a text may add to what structure said: which of two meanings a code has, or how long to wait.
fn leaves_open(signal: &Signal<'_>, found: &Found) -> bool {
    matches!(
        found.rule,
        "matrix.M_FORBIDDEN"
            | "feishu.230001"
            | "whatsapp.100"
            | "googlechat.PERMISSION_DENIED"
            | "dingtalk.310000"
            | "email.validation_error"
            | "email.MessageRejected"
    ) || signal.retry_after.is_none() && found.is_retried()
}

/// A code with two meanings, beside a text that says it is the target's: the room of Matrix's `M_FORBIDDEN`, the
/// receiver of a wrong parameter.
fn about_target(scan: &Scan<'_>, found: Found) -> Found {
    // A robot's security settings: a signature, an address, or a word that the message has to hold.
    if let Some(own) = scan.own.filter(|own| found.rule == "dingtalk.310000" && own.class == rules::PAYLOAD) {
        return Found::by(own, DeliveryEvidence::Text, Certainty::Likely);
    }
    // Mail services put one name on a wrong message and on a sender that is not theirs to use.
    let of_the_sender = matches!(found.rule, "email.validation_error" | "email.MessageRejected");
    if let Some(own) = scan.own.filter(|own| of_the_sender && own.class != rules::PAYLOAD) {
        return Found::by(own, DeliveryEvidence::Text, Certainty::Likely);
    }
    let name = match found.rule {
        "matrix.M_FORBIDDEN" if scan.room => "matrix.room",
        "feishu.230001" if scan.receiver => "feishu.receiver",
        "whatsapp.100" if scan.receiver => "whatsapp.receiver",
        "googlechat.PERMISSION_DENIED" if scan.own.is_some_and(|own| own.class == rules::GONE) => {
            "googlechat.space"
        }
        _ => return found,
    };
    Found::new(name, rules::GONE, DeliveryEvidence::Text, Certainty::Likely)
}

fn read<'s>(signal: &'s Signal<'_>) -> Scan<'s> {
    let asked = match signal.channel {
        Some(channel) if !channel.is_layer() => Asked::Only(channel),
        // An error without a channel may be of any, and a gateway reports what its channel said; one of a channel
        // without a table is of none.
        Some(_) => Asked::Any,
        None if signal.names_channel => Asked::None,
        None => Asked::Any,
    };
    let mut scan = Scan::default();
    for message in signal.messages.iter() {
        scan.message(asked, message);
    }
    scan
}

/// What decides where structure did not.
fn by_text(signal: &Signal<'_>, scan: &Scan<'_>) -> Found {
    let numbers = || scan.numbers.iter().flatten().copied();
    let stated =
        || numbers().filter_map(|number| number.parse().ok()).find(|status| (400..=599).contains(status));
    // Some answer 200 and state the status of the failure in their text.
    let failed = signal.status.filter(|status| *status >= 300);
    let status = failed.or(scan.status).or_else(stated).or(signal.status);
    let by_number = || {
        let channel = signal.channel.filter(|channel| !channel.is_layer())?;
        let rule = numbers().find_map(|number| rule(channel, &Word::Text(number.into())))?;
        Some(about_target(scan, Found::by(rule, DeliveryEvidence::Code, Certainty::Certain)))
    };
    // A text that is nothing but a code of the channel's. IRC begins its lines with one.
    let by_whole = || {
        let channel = signal.channel.filter(|channel| !channel.is_layer())?;
        let numeric =
            scan.status.filter(|_| channel == Channel::Irc).map(|status| Word::Number(status.into()));
        let whole = |message: &Cow<'_, str>| rule(channel, &Word::Text(message.as_ref().into()));
        let found = numeric.and_then(|numeric| rule(channel, &numeric));
        // `:server 401 nick ...`: behind who says it.
        let behind = |message: &Cow<'_, str>| {
            let numeric = message.strip_prefix(':')?.split(' ').nth(1)?;
            rule(channel, &Word::Text(numeric.into()))
        };
        let found =
            found.or_else(|| signal.messages.iter().filter(|_| channel == Channel::Irc).find_map(behind));
        let found =
            found.or_else(|| signal.messages.iter().filter(|message| is_code(message)).find_map(whole))?;
        Some(about_target(scan, Found::by(found, DeliveryEvidence::Code, Certainty::Certain)))
    };
    let text = |rule, certainty| Found::by(rule, DeliveryEvidence::Text, certainty);
    let own = || scan.own.map(|rule| about_target(scan, text(rule, Certainty::Likely)));
    let gateway = || scan.gateway.map(|rule| text(rule, Certainty::Likely));
    let limit = || {
        let rule = scan.mention().filter(|rule| rule.class.code == Delivery::RateLimited)?;
        matches!(status, Some(400 | 403 | 409 | 503)).then(|| text(rule, Certainty::Guess))
    };
    let found = scan
        .moved_to
        .map(|_| MOVED)
        .or_else(by_number)
        .or_else(by_whole)
        .or_else(|| email::by_reply(signal, status, scan.own, scan.content))
        .or_else(|| (status == Some(429)).then(|| status::limited(signal.channel)))
        .or_else(own)
        .or_else(|| layer_code(signal, Channel::Gateway))
        .or_else(gateway)
        .or_else(|| common(signal, scan, status))
        .or_else(|| transport(signal, scan, status))
        .or_else(limit)
        .or_else(|| matrix_room(signal, scan, status))
        .or_else(|| status.and_then(|status| status::alone(signal.channel, status)))
        .or_else(|| series::by_kind(signal))
        .or_else(|| scan.mention().map(|rule| text(rule, Certainty::Guess)))
        .unwrap_or(Found::new("none", rules::UNCERTAIN, DeliveryEvidence::None, Certainty::Guess));
    // A client that says only that a request failed; what lies beneath may say how far it came.
    let is_vague = found.class == rules::BROKEN && found.evidence == DeliveryEvidence::Text;
    let beneath = || transport(signal, scan, status).filter(|beneath| beneath.class != rules::BROKEN);
    if is_vague { beneath().unwrap_or(found) } else { found }
}

/// A client of Matrix that kept the status and the sentence, and lost the code between them.
fn matrix_room(signal: &Signal<'_>, scan: &Scan<'_>, status: Option<u16>) -> Option<Found> {
    let of_the_room = signal.channel == Some(Channel::Matrix) && status == Some(403) && scan.room;
    let room = Found::new("matrix.room", rules::GONE, DeliveryEvidence::Text, Certainty::Likely);
    of_the_room.then_some(room)
}

fn layer_code(signal: &Signal<'_>, layer: Channel) -> Option<Found> {
    // An errno says more than the name of the error that carries it.
    let is_name =
        |code: &&Word<'_>| code.text().is_some_and(|text| text.bytes().any(|byte| byte.is_ascii_lowercase()));
    let find = |names: bool| {
        signal.codes.iter().filter(|code| is_name(code) == names).find_map(|code| rule(layer, code))
    };
    Some(Found::by(find(false).or_else(|| find(true))?, DeliveryEvidence::Transport, Certainty::Likely))
}

/// What many channels say in the same words, where the status leaves it open.
fn common(signal: &Signal<'_>, scan: &Scan<'_>, status: Option<u16>) -> Option<Found> {
    if !matches!(status, None | Some(200 | 400 | 403 | 404 | 409 | 410 | 422 | 500)) {
        return None;
    }
    layer_code(signal, Channel::Common)
        .or_else(|| scan.common.map(|rule| Found::by(rule, DeliveryEvidence::Text, Certainty::Likely)))
}

/// What the transport says. An answer that came has a status, and then the transport has nothing to add.
fn transport(signal: &Signal<'_>, scan: &Scan<'_>, status: Option<u16>) -> Option<Found> {
    if status.is_some_and(|status| status >= 400) {
        return None;
    }
    let found = layer_code(signal, Channel::Transport)
        .or_else(|| scan.transport.map(|rule| Found::by(rule, DeliveryEvidence::Text, Certainty::Guess)))
        .or_else(|| scan.errno.map(|rule| Found::by(rule, DeliveryEvidence::Text, Certainty::Guess)))?;
    let may_have_left = found.class.effect != Effect::None;
    let connecting = signal.connecting
        || scan
            .transport
            .is_some_and(|rule| rule.class == rules::TRANSIENT && rule.key.starts_with("connect e"));
    Some(if connecting && may_have_left {
        // Whatever happened, it happened before there was a connection.
        Found::new("transport.connecting", rules::TRANSIENT, DeliveryEvidence::Transport, Certainty::Likely)
    } else {
        found
    })
}
