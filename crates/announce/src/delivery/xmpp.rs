//! XMPP: a defined condition of a stanza or of the stream.

use super::rules::{Table, rows};

pub(super) const TABLE: Table = Table {
    source: "rfc-editor.org/rfc/rfc6120#section-8.3.3; rfc-editor.org/rfc/rfc6120#section-4.9.3",
    codes: rows! { "xmpp";
        GONE {
            "gone", "item-not-found", "jid-malformed", "recipient-unavailable",
            "registration-required", "remote-server-not-found", "subscription-required",
            "service-unavailable", "not-allowed",
        }
        MOVED {
            "redirect", "see-other-host",
        }
        AUTH {
            "not-authorized", "forbidden", "payment-required", "account-disabled",
            "credentials-expired", "encryption-required", "temporary-auth-failure",
        }
        PAYLOAD {
            "bad-request", "feature-not-implemented", "not-acceptable", "policy-violation",
            "unexpected-request", "invalid-xml", "not-well-formed",
        }
        TRANSIENT {
            "remote-connection-failed", "system-shutdown", "reset", "resource-constraint",
        }
        CUT {
            "remote-server-timeout", "connection-timeout",
        }
        BROKEN {
            "internal-server-error", "undefined-condition",
        }
    },
    // The same conditions where the element or the client's text is all that survived.
    texts: rows! { "xmpp.text";
        GONE {
            "item-not-found", "jid-malformed", "recipient-unavailable", "registration-required", "remote-server-not-found",
            "subscription-required", "service-unavailable", "not-allowed",
        }
        AUTH { "not-authorized", "forbidden", "account-disabled", "credentials-expired", "payment-required" }
        PAYLOAD { "bad-request", "feature-not-implemented", "not-acceptable", "policy-violation", "not-well-formed" }
        TRANSIENT { "remote-connection-failed", "system-shutdown", "resource-constraint" }
        CUT { "remote-server-timeout", "connection-timeout" }
        BROKEN { "internal-server-error", "undefined-condition" }
    },
};
