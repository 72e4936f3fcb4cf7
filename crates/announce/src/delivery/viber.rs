//! Viber: HTTP 200 with a number in `status` and a word in `status_message`.

use super::rules::{Table, rows};

pub(super) const TABLE: Table = Table {
    source: "developers.viber.com/docs/api/rest-bot-api/#error-codes",
    codes: rows! { "viber";
        AUTH {
            "2", "7", "8", "9", "10", "15", "19", "20", "24", "invalidAuthToken",
            "publicAccountBlocked", "publicAccountNotFound", "publicAccountSuspended", "webhookNotSet",
            "publicAccountNotAuthorized", "noBalance",
        }
        GONE {
            "5", "6", "11", "18", "21", "receiverNotRegistered", "receiverNotSubscribed",
            "notSubscribed", "notRegistered", "receiverNoSuitableDevice", "noPublicChat",
            "unsupportedCountry",
        }
        PAYLOAD {
            "1", "3", "4", "13", "14", "16", "17", "22", "invalidUrl", "badData", "missingData",
            "apiVersionNotSupported", "incompatibleWithVersion",
        }
        LIMITED_BOT {
            "12", "23", "tooManyRequests", "freeMessagesExceeded",
        }
        BROKEN {
            "generalError",
        }
    },
    texts: &[],
};
