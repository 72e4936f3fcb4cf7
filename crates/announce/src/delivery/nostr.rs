//! Nostr: the machine-readable prefix of a relay's `OK`, `CLOSED` and `NOTICE`.

use super::rules::{Table, rows};

pub(super) const TABLE: Table = Table {
    source: "github.com/nostr-protocol/nips/blob/master/01.md; github.com/nostr-protocol/nips/blob/master/42.md",
    codes: &[],
    texts: rows! { "nostr";
        DONE {
            "duplicate:",
        }
        PAYLOAD {
            "pow: ", "invalid:", "event too large", "unsupported:",
        }
        AUTH {
            "blocked:", "restricted:", "auth-required:", "payment-required:",
        }
        GONE {
            "mute: ",
        }
        LIMITED_BOT {
            "rate-limited:",
        }
        BROKEN {
            "error: ",
        }
        TRANSIENT {
            "no relays connected", "relay not connected", "could not connect to relay",
            "all relays failed to connect",
        }
        CUT {
            "publish timed out",
        }
    },
};
