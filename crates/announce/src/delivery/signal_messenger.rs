//! Signal, through signal-cli and its REST wrapper. Numbers are the JSON-RPC error codes of signal-cli.
//!
//! An untrusted identity (the recipient's safety number changed) counts as a refused sender: it stays refused until a
//! person verifies it, and no other message is affected.

use super::rules::{Table, rows};

pub(super) const TABLE: Table = Table {
    source: "github.com/AsamK/signal-cli/blob/master/man/signal-cli.1.adoc#exit-codes; \
             github.com/AsamK/signal-cli/blob/master/man/signal-cli-jsonrpc.5.adoc; \
             github.com/AsamK/signal-cli/issues/698",
    codes: rows! { "signal";
        AUTH { "-4", "UntrustedIdentityException", "IDENTITY_FAILURE", "NotRegisteredException", "AuthorizationFailedException" }
        LIMITED_BOT { "-5", "-6", "RateLimitException", "ProofRequiredException", "RATE_LIMIT_FAILURE", "PROOF_REQUIRED_FAILURE" }
        BROKEN { "-3", "-2", "IOException", "NETWORK_FAILURE" }
        PAYLOAD { "AttachmentInvalidException" }
        GONE {
            "UnregisteredUserException", "UNREGISTERED_FAILURE", "UnregisteredRecipientException", "GroupNotFoundException",
            "NotAGroupMemberException", "GroupSendingNotAllowedException",
        }
    },
    texts: rows! { "signal";
        GONE {
            "unregistered user", "unregistered recipient", "invalid group id", "group not found",
            "user is not a group member", "recipient is not registered", "invalid recipient", "invalid identifier",
        }
        AUTH {
            "untrusted identity", "failed to send message due to untrusted identities", "authorization failed",
            "user * is not registered", "not registered", "specified account does not exist",
        }
        LIMITED_BOT {
            "rate limit", "failed to send message due to rate limiting", "captcha", "proof required",
            "[429]", "statuscode: 429", "[413]", "statuscode: 413",
        }
        PAYLOAD { "attachment", "no message content", "message is too long" }
        BROKEN { "failed to send message", "connection closed unexpectedly", "network failure" }
    },
};
