//! Matrix. Errors carry `errcode`; a rate limit carries `Retry-After` in seconds and, deprecated, `retry_after_ms`.
//!
//! `M_FORBIDDEN` alone is the sender's; with a text that names the room it is the target's.

use super::rules::{Table, rows};

pub(super) const TABLE: Table = Table {
    source: "spec.matrix.org/latest/client-server-api/#standard-error-response",
    codes: rows! { "matrix";
        AUTH {
            "M_FORBIDDEN", "M_UNKNOWN_TOKEN", "M_MISSING_TOKEN", "M_UNAUTHORIZED", "M_USER_DEACTIVATED",
            "M_USER_LOCKED", "M_USER_SUSPENDED", "M_GUEST_ACCESS_FORBIDDEN", "M_CONSENT_NOT_GIVEN",
            "M_TERMS_NOT_SIGNED", "ORG_MATRIX_EXPIRED_ACCOUNT", "M_EXCLUSIVE", "M_SERVER_NOT_TRUSTED",
            "M_UNKNOWN_DEVICE", "M_CAPTCHA_NEEDED", "M_CAPTCHA_INVALID", "M_USER_LIMIT_EXCEEDED",
        }
        GONE {
            "M_NOT_FOUND", "M_UNABLE_TO_AUTHORISE_JOIN", "M_UNABLE_TO_GRANT_JOIN", "M_INCOMPATIBLE_ROOM_VERSION",
            "M_UNSUPPORTED_ROOM_VERSION", "M_INVITE_BLOCKED", "M_NOT_JOINED", "M_NOT_IN_THREAD",
            "M_SENDER_IGNORED", "M_BAD_ALIAS", "M_THREEPID_NOT_FOUND",
        }
        PAYLOAD {
            "M_BAD_JSON", "M_NOT_JSON", "M_TOO_LARGE", "M_MISSING_PARAM", "M_INVALID_PARAM", "M_UNRECOGNIZED",
            "M_BAD_STATE", "M_INVALID_ROOM_STATE", "M_WRONG_ROOM_KEYS_VERSION", "M_CANNOT_OVERWRITE_MEDIA",
            "M_KEY_TOO_LARGE", "M_UNACTIONABLE", "M_BAD_PAGINATION", "M_INVALID_USERNAME", "M_USER_IN_USE",
            "M_ROOM_IN_USE", "M_CANNOT_LEAVE_SERVER_NOTICE_ROOM", "M_INVALID_SIGNATURE", "M_THREEPID_IN_USE", "M_THREEPID_DENIED", "M_THREEPID_AUTH_FAILED", "M_WEAK_PASSWORD", "M_PASSWORD_TOO_SHORT",
        }
        LIMITED_BOT { "M_LIMIT_EXCEEDED" }
        TRANSIENT {
            "M_RESOURCE_LIMIT_EXCEEDED", "M_CONNECTION_FAILED", "M_CONNECTION_TIMEOUT", "M_NOT_YET_UPLOADED",
            "M_CONCURRENT_WRITE",
        }
        UNCERTAIN { "M_UNKNOWN", "M_BAD_STATUS" }
        DONE { "M_DUPLICATE_ANNOTATION" }
    },
    texts: rows! { "matrix";
        LIMITED_BOT { "too many requests" }
    },
};

/// What homeservers write beside `M_FORBIDDEN` when the room is the problem; found anywhere in the text, since it
/// begins with a user id.
pub(super) const ROOM_WORDS: [&str; 6] = [
    "not in room",
    "not joined",
    "not invited",
    "banned from",
    "don't have permission to post",
    "power level",
];
