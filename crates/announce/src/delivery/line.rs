//! LINE Messaging API: the HTTP status is the class. With a retry key, 409 says that the message was accepted before.

use super::rules::{Table, rows};

pub(super) const TABLE: Table = Table {
    source: "developers.line.biz/en/reference/messaging-api/#status-codes; \
             developers.line.biz/en/docs/messaging-api/retrying-api-request",
    codes: &[],
    texts: rows! { "line";
        DONE { "the retry key is already accepted" }
        GONE { "failed to send messages", "the property, 'to', in the request body is invalid" }
        LIMITED_BOT { "you have reached your monthly limit", "the api rate limit has been exceeded" }
        AUTH { "authentication failed", "access to this api is not available for your account" }
    },
};
