//! Microsoft Teams, through the Bot Framework connector: an HTTP status and a word in `error.code`.

use super::rules::{Table, rows};

pub(super) const TABLE: Table = Table {
    source: "learn.microsoft.com/microsoftteams/platform/bots/how-to/conversations/send-proactive-messages; \
             learn.microsoft.com/microsoftteams/platform/bots/build-conversational-capability#status-codes-from-bot-conversational-apis; \
             learn.microsoft.com/entra/identity-platform/reference-error-codes; learn.microsoft.com/azure/logic-apps/logic-apps-workflow-actions-triggers",
    codes: rows! { "teams";
        GONE {
            "ConversationNotFound", "ConversationBlockedByUser", "BotNotInConversationRoster",
            "MessageWritesBlocked", "ActivityNotFoundInConversation", "ForbiddenOperationException",
            "InvalidBotApiHost", "BotDisabledByAdmin", "UserNotFound", "WorkflowNotFound", "WorkflowTriggerIsNotEnabled",
        }
        AUTH {
            "Unauthorized", "NotEnoughPermissions", "Forbidden", "InvalidAuthenticationToken", "invalid_client", "invalid_grant", "unauthorized_client",
            "BotNotRegistered", "AuthorizationFailed", "Authorization_RequestDenied", "DirectApiAuthorizationRequired",
            "AADSTS50020", "AADSTS50034", "AADSTS53003", "AADSTS65001", "AADSTS90002", "AADSTS700016", "AADSTS700027",
            "AADSTS7000215", "AADSTS7000222", "AADSTS7000229",
        }
        PAYLOAD {
            "MessageSizeTooBig", "BadSyntax", "BadArgument", "Bad Argument", "ActivityConflict", "InvalidRequest", "TriggerInputSchemaMismatch", "InvalidRequestContent",
        }
        LIMITED_BOT { "TooManyRequests", "Throttled", "RetryAfter" }
        TRANSIENT { "ServiceUnavailable", "PreconditionFailed" }
        BROKEN { "ServiceError", "InternalServerError", "BadGateway", "GatewayTimeout" }
    },
    texts: rows! { "teams";
        GONE { "bot is not installed", "the bot is not part of the conversation roster", "no conversation reference" }
    },
};
