//! Google Chat: the errors of Google's APIs, an HTTP status and a word in `error.status`.

use super::rules::{Table, rows};

pub(super) const TABLE: Table = Table {
    source: "developers.google.com/workspace/chat/api/reference/rest/v1/spaces.messages/create; \
             cloud.google.com/apis/design/errors#handling_errors; developers.google.com/workspace/chat/limits",
    codes: rows! { "googlechat";
        GONE {
            "NOT_FOUND",
        }
        AUTH {
            "PERMISSION_DENIED", "UNAUTHENTICATED", "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
            "SERVICE_DISABLED", "CONSUMER_INVALID", "API_KEY_INVALID", "ACCESS_TOKEN_EXPIRED",
            "CREDENTIALS_MISSING", "invalid_grant",
        }
        PAYLOAD {
            "INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE", "UNIMPLEMENTED",
        }
        LIMITED_BOT {
            "RESOURCE_EXHAUSTED", "RATE_LIMIT_EXCEEDED",
        }
        TRANSIENT {
            "UNAVAILABLE",
        }
        BROKEN {
            "INTERNAL", "UNKNOWN",
        }
        CUT {
            "DEADLINE_EXCEEDED", "ABORTED", "CANCELLED",
        }
        DONE {
            "ALREADY_EXISTS",
        }
    },
    texts: rows! { "googlechat";
        GONE {
            "this chat app is not a member", "the app is not a member", "bot is not a member",
            "chat app not found", "google chat app not found", "space not found",
            "requested entity was not found", "the caller is not a member", "caller is not a member",
            "dms are disabled", "the user has blocked", "user has blocked",
        }
    },
};
