//! Nextcloud Talk: the HTTP status and a word in `ocs.data.error`.

use super::rules::{Table, rows};

pub(super) const TABLE: Table = Table {
    source: "nextcloud-talk.readthedocs.io/en/latest/chat/#sending-a-new-chat-message; nextcloud-talk.readthedocs.io/en/latest/bots",
    codes: rows! { "nextcloud";
        GONE {
            "read-only", "permission", "lobby", "room",
        }
        PAYLOAD {
            "message", "reply-to", "too-long", "silent",
        }
        LIMITED_BOT {
            "mentions",
        }
        AUTH {
            "997",
        }
    },
    texts: rows! { "nextcloud";
        AUTH {
            "current user is not logged in", "authentication header",
        }
        GONE {
            "conversation not found",
        }
    },
};
