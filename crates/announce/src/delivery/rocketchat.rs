//! Rocket.Chat: a word in `errorType`, and a text that ends in the same word in brackets.

use super::rules::{Table, rows};

pub(super) const TABLE: Table = Table {
    source: "developer.rocket.chat/apidocs/send-message; github.com/RocketChat/Rocket.Chat/tree/develop/packages/i18n/src/locales/en.i18n.json",
    codes: rows! { "rocketchat";
        GONE {
            "error-invalid-room", "error-room-not-found", "error-room-archived", "error-invalid-user",
            "error-user-not-in-room", "error-room-does-not-exist", "error-room-is-not-closed",
            "error-invalid-channel", "invalid-channel", "[invalid-channel]", "room-is-read-only", "error-room-is-read-only", "error-the-field-is-required-channel",
            "error-you-are-not-in-room", "error-direct-message-max-user-exceeded",
            "error-blocked-username", "error-no-agent-online", "room-closed",
        }
        AUTH {
            "error-unauthorized", "error-not-allowed", "error-action-not-allowed",
            "error-invalid-token", "totp-required", "error-user-is-not-activated",
            "error-user-deactivated", "error-logged-user-not-in-room",
        }
        PAYLOAD {
            "error-message-size-exceeded", "error-invalid-params", "error-invalid-message",
            "error-message-not-found", "error-file-too-large", "error-invalid-file-type",
            "error-field-unavailable", "invalid-params", "error-invalid-arguments",
        }
        LIMITED_BOT {
            "error-too-many-requests",
        }
    },
    texts: rows! { "rocketchat";
        GONE {
            "you have been muted", "room is blocked", "you can't send messages because",
            "room_is_blocked", "invalid room",
        }
        LIMITED_BOT {
            "error, too many requests",
        }
        AUTH {
            "you must be logged in",
        }
    },
};
