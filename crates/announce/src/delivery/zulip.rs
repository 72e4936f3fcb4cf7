//! Zulip: an HTTP status, a word in `code` and a text in `msg`; a rate limit states `retry-after` in seconds.

use super::rules::{Table, rows};

pub(super) const TABLE: Table = Table {
    source: "zulip.com/api/rest-error-handling; github.com/zulip/zulip/blob/main/zerver/lib/exceptions.py",
    codes: rows! { "zulip";
        GONE {
            "STREAM_DOES_NOT_EXIST", "CHANNEL_DOES_NOT_EXIST", "NONEXISTENT_SUBDOMAIN",
            "SUBSCRIPTIONS_NOT_FOUND",
        }
        AUTH {
            "UNAUTHENTICATED_USER", "UNAUTHORIZED_PRINCIPAL", "INVALID_API_KEY", "MALFORMED_API_KEY",
            "INVALID_API_KEY_FORMAT", "REALM_DEACTIVATED", "USER_DEACTIVATED", "AUTHENTICATION_FAILED",
            "ORGANIZATION_OWNER_REQUIRED", "ORGANIZATION_ADMINISTRATOR_REQUIRED", "PERMISSION_DENIED",
        }
        PAYLOAD {
            "REQUEST_VARIABLE_MISSING", "REQUEST_VARIABLE_INVALID", "BAD_IMAGE", "REALM_UPLOAD_QUOTA", "INVALID_JSON",
            "BAD_CONTENT_TYPE", "INVALID_MARKDOWN", "MISSING_HTTP_EVENT_HEADER",
            "TOPIC_WILDCARD_MENTION_NOT_ALLOWED", "STREAM_WILDCARD_MENTION_NOT_ALLOWED",
            "EXPECTATION_MISMATCH",
        }
        LIMITED_BOT {
            "RATE_LIMIT_HIT",
        }
    },
    texts: rows! { "zulip";
        GONE {
            "stream '", "channel '", "channel with id", "invalid email", "not authorized to send to",
            "you are not subscribed", "direct messages are disabled",
            "you do not have permission to post in this channel", "user not authorized for this query",
        }
        AUTH {
            "invalid api key", "account is deactivated", "this organization has been deactivated",
            "your account is no longer active",
        }
        PAYLOAD {
            "message must not be empty", "message is too long", "topic can't be empty",
        }
    },
};
