//! iMessage: the BlueBubbles server's statuses and texts, and what AppleScript and the Messages app answer.

use super::rules::{Table, rows};

pub(super) const TABLE: Table = Table {
    source: "docs.bluebubbles.app/server/developer-guides/rest-api-and-webhooks; github.com/BlueBubblesApp/bluebubbles-server; \
             developer.apple.com/library/archive/documentation/AppleScript/Conceptual/AppleScriptLangGuide (error numbers)",
    codes: rows! { "bluebubbles";
        GONE {
            "22", "-1728",
        }
        AUTH {
            "-1743",
        }
        CUT {
            "-1712",
        }
        TRANSIENT {
            "-600",
        }
    },
    texts: rows! { "bluebubbles";
        GONE {
            "chat does not exist", "chat not found", "chatguid not found", "handle does not exist",
            "recipient is not registered", "the recipient is not", "not registered with imessage",
            "can't get chat id", "can't get buddy", "can't get participant", "invalid chat guid",
            "could not find chat", "no chat found", "no participants",
            "can’t get chat id", "can’t get buddy", "can’t get participant",
        }
        AUTH {
            "not authorized to send apple events", "missing server password", "invalid password",
            "not authorised", "full disk access", "automation permission",
        }
        TRANSIENT {
            "application isn't running", "application isn’t running", "messages got an error: connection is invalid",
            "imessage is not enabled", "private api helper is not connected",
            "private api is not enabled", "imessage private api is not",
        }
        CUT {
            "appleevent timed out", "imsg: appleevent timed out", "transaction timeout",
            "message send timeout", "failed to send message! timed out",
        }
        PAYLOAD {
            "message cannot be empty", "no message provided", "attachment does not exist",
            "message is required",
        }
    },
};
