//! Microsoft Teams, through the Bot Framework connector: an HTTP status and a word in `error.code`.

use super::rules::{Table, rows};

pub(super) const TABLE: Table = Table {
    source: "learn.microsoft.com/microsoftteams/platform/bots/how-to/conversations/send-proactive-messages; \
             learn.microsoft.com/microsoftteams/platform/bots/build-conversational-capability#status-codes-from-bot-conversational-apis",
    codes: rows! { "teams";
        GONE {
            "ConversationNotFound", "ConversationBlockedByUser", "BotNotInConversationRoster",
            "MessageWritesBlocked", "ActivityNotFoundInConversation", "ForbiddenOperationException",
            "InvalidBotApiHost", "BotDisabledByAdmin", "UserNotFound",
        }
        AUTH { "Unauthorized", "NotEnoughPermissions", "Forbidden", "InvalidAuthenticationToken", "invalid_client", "unauthorized_client" }
        PAYLOAD {
            "MessageSizeTooBig", "BadSyntax", "BadArgument", "Bad Argument", "ActivityConflict", "InvalidRequest",
        }
        LIMITED_BOT { "TooManyRequests", "Throttled", "RetryAfter" }
        TRANSIENT { "ServiceUnavailable", "PreconditionFailed" }
        BROKEN { "ServiceError", "InternalServerError", "BadGateway", "GatewayTimeout" }
    },
    texts: rows! { "teams";
        GONE { "bot is not installed", "the bot is not part of the conversation roster", "no conversation reference" }
    },
};
