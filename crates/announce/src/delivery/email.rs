//! Email: SMTP replies with their enhanced codes, the codes of mail clients, and the HTTP of mail services.
//!
//! A reply of three digits looks like an HTTP status and is none: 550 is a mailbox that does not exist. Replies are read
//! where SMTP writes them (`responseCode`, or digits before an enhanced code or at a text's beginning), and the enhanced
//! code decides over the plain one, which servers choose loosely.

use super::{
    channel::Channel,
    decide::Found,
    rules::{AUTH, Class, GONE, LIMITED_BOT, MOVED, PAYLOAD, Rule, TRANSIENT, Table, rows},
    signal::Signal,
    verdict::{Certainty, DeliveryEvidence},
};

pub(super) const TABLE: Table = Table {
    source: "rfc-editor.org/rfc/rfc5321#section-4.2; rfc-editor.org/rfc/rfc3463; \
             iana.org/assignments/smtp-enhanced-status-codes; support.google.com/a/answer/3726730; \
             nodemailer.com/errors; resend.com/docs/api-reference/errors; postmarkapp.com/developer/api/overview#error-codes",
    codes: rows! { "email";
        AUTH {
            "EAUTH", "EOAUTH2", "ENOAUTH", "SMTPAuthenticationError", "SMTPSenderRefused", "invalid_api_key", "missing_api_key",
            "restricted_api_key", "invalid_from_address", "MailFromDomainNotVerified", "AccountSendingPaused", "10", "405",
            "ConfigurationSetSendingPaused", "InvalidClientTokenId", "SignatureDoesNotMatch", "invalid_access",
        }
        GONE { "EENVELOPE", "SMTPRecipientsRefused", "invalid_to_address", "InactiveRecipient", "406" }
        PAYLOAD {
            "EMESSAGE", "SMTPDataError", "MessageRejected", "invalid_attachment", "missing_required_field", "validation_error",
            "EMAXLIMIT", "300",
        }
        LIMITED_BOT {
            "rate_limit_exceeded", "daily_quota_exceeded", "monthly_quota_exceeded", "Throttling", "TooManyRequestsException",
            "LimitExceededException",
        }
        TRANSIENT { "ETLS", "SMTPConnectError", "SMTPHeloError" }
        CUT { "SMTPServerDisconnected", "ESTREAM" }
        BROKEN { "EPROTOCOL", "application_error", "internal_server_error" }
    },
    texts: rows! { "email";
        GONE {
            "user unknown", "recipient address rejected", "mailbox unavailable", "mailbox not found", "no such user", "no recipients defined",
            "all recipients were rejected", "can't send mail - all recipients were rejected", "the email account that you tried to reach",
            "address rejected", "unrouteable address", "domain not found", "host or domain name not found", "mailbox full",
            "email address is not verified", "you tried to send to a recipient that has been marked as inactive",
        }
        AUTH {
            "invalid login", "missing credentials", "authentication unsuccessful", "username and password not accepted",
            "sender address rejected", "relay access denied", "relaying denied", "the from address does not match",
            "domain is not verified", "the * domain is not verified",
        }
        PAYLOAD { "message size exceeds", "message file too big", "message too big", "spam message rejected" }
        LIMITED_BOT {
            "too many messages", "too many login attempts", "daily user sending", "daily sending quota exceeded", "throttling failure",
            "sender thread limit exceeded", "error: too much mail", "too much mail", "maximum sending rate exceeded",
        }
        TRANSIENT { "greylisted", "recipient address rejected: greylisted", "greylisting", "greeting never received", "requested action aborted", "temporary lookup failure", "try again later" }
        CUT { "connection closed unexpectedly", "unexpected socket close" }
    },
};

/// What a refusal by policy says when it is of what the message holds.
pub(super) const CONTENT_WORDS: [&str; 6] =
    ["attachment", "virus", "malware", "infected", "its content presents", "potential security issue"];

/// What an SMTP reply says, if the error holds one.
///
/// `own` is the rule of its text: of a refusal by policy for now, only the words say that it is one of rate. `content` is
/// whether they name what a message holds.
pub(super) fn by_reply(
    signal: &Signal<'_>,
    status: Option<u16>,
    own: Option<&'static Rule>,
    content: bool,
) -> Option<Found> {
    match signal.channel {
        Some(Channel::Email) => {}
        Some(_) => return None,
        // Digits and an enhanced code side by side are nobody else's.
        None if signal.names_channel => return None,
        None => {}
    }
    let mail = signal.channel == Some(Channel::Email);
    let reply = signal.messages.iter().find_map(|message| enhanced(message.as_bytes()));
    let (rule, class) = match reply {
        Some((class, subject, detail)) if mail || reply.is_some_and(|reply| reply.0 >= 4) => {
            by_enhanced(class, subject, detail)?
        }
        Some(_) => return None,
        None if mail => by_plain(status?)?,
        None => return None,
    };
    let (rule, class) = match own
        .filter(|own| matches!(rule, "email.greylisted" | "email.4yz") && own.class == LIMITED_BOT)
    {
        Some(own) => (own.id, own.class),
        // A refusal by policy may be of what the message holds.
        None => match own.filter(|own| rule == "email.policy" && own.class == PAYLOAD) {
            Some(own) => (own.id, own.class),
            None if rule == "email.policy" && content => ("email.policy.content", PAYLOAD),
            None => (rule, class),
        },
    };
    Some(Found { rule, class, evidence: DeliveryEvidence::Code, certainty: Certainty::Certain })
}

/// The enhanced code of a text: `4.7.28` or `5.1.1`, behind a reply's three digits or at the beginning.
fn enhanced(text: &[u8]) -> Option<(u8, u8, u16)> {
    (0..text.len()).find_map(|at| {
        let begins = at == 0 || matches!(text.get(at - 1), Some(b' ' | b'-' | b'(' | b'[' | b'\n' | b'#'));
        let replied = at == 0 || at >= 4 && text[at - 4..at - 1].iter().all(u8::is_ascii_digit);
        let class = text.get(at).filter(|byte| begins && replied && matches!(byte, b'4' | b'5'))?;
        let rest = text.get(at + 1..)?.strip_prefix(b".")?;
        let (subject, rest) = (rest.first().filter(|byte| byte.is_ascii_digit())?, rest.get(1..)?);
        let rest = rest.strip_prefix(b".")?;
        let end = rest.iter().take(3).position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len().min(3));
        let detail = str::from_utf8(rest.get(..end)?).ok()?.parse().ok()?;
        Some((class - b'0', subject - b'0', detail))
    })
}

/// RFC 3463: the class says whether it passes, the subject what it is about.
const fn by_enhanced(class: u8, subject: u8, detail: u16) -> Option<(&'static str, Class)> {
    Some(match (class, subject, detail) {
        // Gmail and Outlook say of a sender's rate what others say of policy.
        (4, 7, 28 | 650 | 500..=599) | (4, 2, 1) | (5, 4, 5) => ("email.rate", LIMITED_BOT),
        // RFC 6647: greylisting is a failure for now, and no count of what was sent.
        (4, 7, 1 | 8) => ("email.greylisted", TRANSIENT),
        (4, ..) => ("email.4yz", TRANSIENT),
        (5, 1, 6) => ("email.moved", MOVED),
        (5, 1, 7 | 8) => ("email.sender", AUTH),
        (5, 1, _) => ("email.address", GONE),
        // Exchange: the sender may not send as whom it names.
        (5, 2, 252) => ("email.sender", AUTH),
        (5, 2, 3) => ("email.size", PAYLOAD),
        (5, 2, _) => ("email.mailbox", GONE),
        (5, 3, 4) => ("email.size", PAYLOAD),
        (5, 4, _) => ("email.routing", GONE),
        (5, 3 | 5 | 6, _) => ("email.content", PAYLOAD),
        (5, 7, _) => ("email.policy", AUTH),
        _ => return None,
    })
}

/// RFC 5321, where no enhanced code stands beside it. The low fives are also what mail services answer over HTTP.
const fn by_plain(reply: u16) -> Option<(&'static str, Class)> {
    Some(match reply {
        421 | 450 | 451 | 454 | 455 => ("email.4yz", TRANSIENT),
        452 => ("email.storage", TRANSIENT),
        530 | 534 | 535 | 538 => ("email.auth", AUTH),
        521 | 541 | 550 | 553 | 556 => ("email.address", GONE),
        551 => ("email.moved", MOVED),
        552 => ("email.size", PAYLOAD),
        554 | 555 => ("email.content", PAYLOAD),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enhanced_codes_are_read_where_smtp_writes_them() {
        let read = |text: &str| enhanced(text.as_bytes());
        assert_eq!(read("550 5.1.1 <x@y>: Recipient address rejected"), Some((5, 1, 1)));
        assert_eq!(read("Invalid login: 535-5.7.8 Username and Password not accepted"), Some((5, 7, 8)));
        assert_eq!(read("421-4.7.28 Our system has detected an unusual rate"), Some((4, 7, 28)));
        assert_eq!(read("version 5.1.1 is out, and 4.2 too"), None);
    }
}
