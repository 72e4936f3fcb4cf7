//! A webhook of somebody's own: only what HTTP says, and what the receivers of the well-known kinds answer in words.

use super::rules::{Table, rows};

pub(super) const TABLE: Table = Table {
    source: "rfc-editor.org/rfc/rfc9110#section-15; rfc-editor.org/rfc/rfc6585",
    codes: &[],
    texts: rows! { "webhook";
        GONE {
            "no_service", "no_active_hooks", "webhook not found", "webhook has been disabled",
            "unknown webhook", "webhook was deleted", "connector configuration not found",
            "flow not found",
        }
        AUTH {
            "invalid webhook token", "invalid signature", "sasauthenticationfailed",
        }
        PAYLOAD {
            "invalid_payload", "summary or text is required",
            "bad payload received by generic incoming webhook",
            "webhook message delivery failed with error: microsoft teams endpoint returned http error 413",
        }
        LIMITED_BOT {
            "webhook message delivery failed with error: microsoft teams endpoint returned http error 429",
        }
    },
};
