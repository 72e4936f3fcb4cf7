//! Messenger and Instagram, through the Graph API: a number in `code`, a narrower one in `error_subcode`.

use super::rules::{Table, rows};

pub(super) const TABLE: Table = Table {
    source: "developers.facebook.com/docs/messenger-platform/error-codes; developers.facebook.com/docs/graph-api/guides/error-handling",
    codes: rows! { "messenger";
        GONE {
            "551", "1545041", "2018001", "2018108", "2018218", "1356048",
        }
        AUTH {
            "190", "200", "3", "102", "10", "368", "2018065", "1404170", "467", "463", "459", "2022",
        }
        PAYLOAD {
            "100", "2018278", "2018109", "506", "2018034", "2018047", "2018007", "2018008", "1893016",
            "2018028",
        }
        LIMITED_BOT {
            "4", "17", "32", "613", "2018022", "80006",
        }
        TRANSIENT {
            "2", "1200",
        }
        BROKEN {
            "1",
        }
    },
    texts: rows! { "messenger";
        GONE {
            "(#551)", "this person isn't available", "no matching user found",
        }
        PAYLOAD {
            "(#10) this message is sent outside of allowed window",
            "this message is sent outside of allowed window",
        }
        LIMITED_BOT {
            "calls to this api have exceeded", "application request limit reached", "(#613)",
        }
    },
};
