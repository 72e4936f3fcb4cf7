//! What operating systems and HTTP clients say, whatever the channel, and what an HTTP status alone means.
//!
//! The line that matters runs between "never connected" (nothing was sent: effect *none*) and everything later: a
//! connection that breaks or a timeout after the request left may have delivered the message.

use super::{
    channel::Channel,
    rules::{AUTH, BROKEN, Class, DONE, GONE, LIMITED_BOT, PAYLOAD, Rule, TRANSIENT, Table, UNCERTAIN, rows},
};

pub(super) const TABLE: Table = Table {
    source: "man 3 errno; nodejs.org/api/errors.html#common-system-errors; undici.nodejs.org/#/docs/api/Errors",
    codes: rows! { "transport";
        TRANSIENT {
            "ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EAI_FAIL", "EAI_NONAME", "EHOSTUNREACH", "EHOSTDOWN",
            "ENETUNREACH", "ENETDOWN", "EADDRNOTAVAIL", "UND_ERR_CONNECT_TIMEOUT", "ConnectTimeoutError",
            "ConnectionRefusedError", "ConnectError",
        }
        BROKEN {
            "ECONNRESET", "ECONNABORTED", "EPIPE", "ETIMEDOUT", "ESOCKETTIMEDOUT", "UND_ERR_SOCKET",
            "UND_ERR_HEADERS_TIMEOUT", "UND_ERR_BODY_TIMEOUT", "UND_ERR_ABORTED", "UND_ERR_CLOSED",
            "UND_ERR_DESTROYED", "ERR_NETWORK", "ERR_STREAM_PREMATURE_CLOSE", "AbortError", "TimeoutError",
            "ReadTimeout", "ConnectionResetError", "SocketError", "FetchError", "HttpError",
        }
    },
    texts: rows! { "transport";
        TRANSIENT {
            "connect econnrefused", "connect etimedout", "getaddrinfo", "connection refused", "could not resolve host",
            "dns lookup", "dns error", "network is unreachable", "no route to host", "name or service not known",
            "temporary failure in name resolution", "connect timeout", "connection timed out while connecting",
            "service unavailable", "service temporarily unavailable", "temporarily unavailable", "server is busy",
            "overloaded", "try again later",
        }
        BROKEN {
            "socket hang up", "network request for", "network error", "network request failed", "fetch failed",
            "request failed due to network", "error sending request", "read econnreset", "connection reset",
            "connection closed", "connection aborted", "broken pipe", "operation timed out", "request timeout",
            "read timed out", "timed out", "timeout", "the operation was aborted", "deadline exceeded",
            "bad gateway", "gateway timeout", "internal server error", "internal error", "upstream connect error",
            "unexpected eof", "premature close", "incomplete message", "stream closed",
        }
        LIMITED_BOT {
            "rate limit exceeded", "rate limited", "rate limit reached", "ratelimited", "too many requests",
            "quota exceeded",
        }
        PAYLOAD { "payload too large", "request entity too large", "unprocessable entity" }
        AUTH { "unauthorized$", "invalid api key", "invalid token", "invalid access token", "unauthenticated" }
    },
};

/// Where [`MENTIONS`] come from.
pub(super) const MENTIONS_SOURCE: &str = "plain words, wherever they stand; tried last";

/// Words that mean a passing fault wherever they stand, for errors that nothing else recognises.
pub(super) const MENTIONS: &[Rule] = rows! { "mention";
    LIMITED_BOT { "rate limit", "rate-limit", "frequency limit", "too many requests", "flood control", "throttled" }
    TRANSIENT {
        "cannot connect to host", "failed to establish a new connection", "before secure tls connection was established",
        "connection refused", "name resolution", "temporarily unavailable",
    }
    BROKEN {
        "timed out", "timeout", "connection reset", "connection closed", "connection lost", "socket hang up",
        "socket disconnected", "network error", "network is unreachable", "bad gateway",
    }
};

/// What an HTTP status means when nothing else decides. `None` for a status that is no failure.
pub(super) const fn by_status(channel: Option<Channel>, status: u16) -> Option<(&'static str, Class)> {
    Some(match (status, channel) {
        // The Bot API answers 403 for one chat only and 404 for a token that is not one.
        (403, Some(Channel::Telegram | Channel::Teams)) => ("status.403.chat", GONE),
        (404, Some(Channel::Telegram)) => ("status.404.token", AUTH),
        (401, _) => ("status.401", AUTH),
        (402, _) => ("status.402", AUTH),
        (403, _) => ("status.403", AUTH),
        (404, _) => ("status.404", GONE),
        // With a retry key, LINE says so of a message that it has already.
        (409, Some(Channel::Line)) => ("status.409.accepted", DONE),
        (408, _) => ("status.408", BROKEN),
        (409, _) => ("status.409", UNCERTAIN),
        (410, _) => ("status.410", GONE),
        (412, Some(Channel::Teams)) => ("status.412", TRANSIENT),
        (413, _) => ("status.413", PAYLOAD),
        (423 | 425, _) => ("status.425", TRANSIENT),
        // The web client of WhatsApp ends its connection with this status.
        (428, Some(Channel::WhatsApp)) => ("status.428.closed", BROKEN),
        (429, _) => ("status.429", LIMITED_BOT),
        (400..=499, _) => ("status.4xx", PAYLOAD),
        (501 | 505, _) => ("status.501", PAYLOAD),
        (503, _) => ("status.503", TRANSIENT),
        (500..=599, _) => ("status.5xx", BROKEN),
        (0..=399 | 600.., _) => return None,
    })
}
