//! What agent gateways say about their own delivery, whatever the channel. Documented nowhere; each wording comes
//! from an issue in which it was treated wrongly.
//!
//! "Unsupported channel" is *pending* here: the issue shows it for a configured channel whose plugin was still
//! loading. Retried for half an hour it costs little; taken for permanent it lost results.

use super::rules::{Table, rows};

pub(super) const TABLE: Table = Table {
    source: "github.com/openclaw/openclaw/issues: 8187, 17000, 21968, 23777, 30177, 30198, 35312, 44925, 79376; \
             pull 20328; grpc.io/docs/guides/status-codes",
    codes: rows! { "gateway";
        TRANSIENT { "UNAVAILABLE" }
        LIMITED_BOT { "RESOURCE_EXHAUSTED" }
        GONE { "NOT_FOUND" }
        AUTH { "UNAUTHENTICATED", "PERMISSION_DENIED" }
        PAYLOAD { "INVALID_ARGUMENT", "INVALID_REQUEST" }
        BROKEN { "DEADLINE_EXCEEDED", "ABORTED", "INTERNAL" }
    },
    texts: rows! { "gateway";
        PENDING {
            "unsupported channel:", "unknown channel:", "no active whatsapp web listener", "no active listener",
            "gateway not connected", "gateway is draining", "gateway draining",
            "completion agent handoff is still pending",
        }
        BROKEN { "gateway timeout", "gateway closed", "gateway request timeout" }
        GONE {
            "no conversation reference found", "ambiguous discord recipient", "recipient is not a valid",
            "chat_id is empty", "invalid receive_id", "outbound not configured for channel",
            "delivering to ", "unknown target", "session not found",
        }
        PAYLOAD {
            "completion agent did not use the message tool", "completion agent did not deliver",
        }
    },
};
