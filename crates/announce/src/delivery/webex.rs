//! Webex: the HTTP status is the class; 423 states `Retry-After` while a recording or file is prepared.

use super::rules::{Table, rows};

pub(super) const TABLE: Table = Table {
    source: "developer.webex.com/docs/basics#api-errors; developer.webex.com/docs/api/v1/messages/create-a-message",
    codes: &[],
    texts: rows! { "webex";
        GONE {
            "could not find a room", "could not find room", "unable to find room", "room not found",
            "failed to get one on one conversation", "unable to post message to room",
            "person not found",
        }
        AUTH {
            "the request requires a valid access token", "failed to authenticate",
        }
        PAYLOAD {
            "unable to retrieve content", "message length limited",
            "one of the following must be non-empty", "text/markdown",
        }
    },
};
