//! What many channels say in the same words, for those without a table of their own and for texts that a table lacks.
//!
//! Only words that mean one thing wherever they are met: who or what is gone, who may not, what is wrong with the message.

use super::rules::{Table, rows};

pub(super) const TABLE: Table = Table {
    source: "the wordings that the tables of this page share",
    codes: rows! { "common";
        GONE {
            "channel_not_found", "user_not_found", "chat_not_found", "room_not_found", "recipient_not_found",
            "target_not_found", "conversation_not_found", "group_not_found", "channel_archived", "is_archived",
            "BlockedByActor", "BlockedActor", "RecordNotFound", "user_blocked", "recipient_blocked", "not_in_channel", "not_a_member", "invalid_recipient", "unsubscribed",
        }
        AUTH {
            "InvalidToken", "ExpiredToken", "AccountTakedown", "invalid_token", "token_expired", "expired_token", "invalid_auth", "not_authed",
            "missing_scope", "insufficient_scope", "permission_denied", "forbidden", "invalid_signature", "invalid_grant",
            "invalid_client", "access_denied", "account_suspended",
        }
        PAYLOAD {
            "BlobTooLarge", "message_too_long", "msg_too_long", "invalid_payload", "invalid_request", "invalid_argument", "bad_request",
            "validation_error", "payload_too_large", "unsupported_media_type", "empty_message",
        }
        LIMITED_BOT {
            "rate_limited", "ratelimited", "rate_limit_exceeded", "too_many_requests", "quota_exceeded", "throttled",
            "slow_mode",
        }
    },
    texts: rows! { "common";
        GONE {
            "chat not found", "channel not found", "user not found", "room not found", "conversation not found",
            "recipient not found", "group not found", "target not found", "thread not found", "member not found",
            "space not found", "contact not found", "webhook not found", "no such channel", "no such user", "no such nick",
            "no such room", "no such chat", "unknown channel", "unknown user", "unknown recipient", "unknown chat",
            "unknown room", "recipient is required", "target is required", "invalid recipient", "invalid chat", "invalid channel", "invalid user id", "invalid target",
            "user has blocked", "user blocked", "blocked by user", "blocked by the user", "recipient has blocked",
            "you are blocked", "you have been blocked", "not a member of", "not in the channel", "not in channel",
            "not in this", "not in the room", "bot is not a member", "bot is not in", "bot was removed", "bot was kicked", "the bot is not",
            "bot has been removed", "bot has been blocked", "you are not a member", "you are not in", "you must be a member", "user is not a member",
            "channel is archived", "channel has been archived", "room is archived", "conversation is archived",
            "thread is archived", "channel is read-only", "channel is read only", "room is read only", "room is readonly",
            "group no longer exists", "user no longer exists", "chat no longer exists", "channel no longer exists", "room no longer exists",
            "channel has been deleted", "channel was deleted", "group has been deleted", "user has been deleted",
            "chat has been deleted", "account has been deleted", "user is deactivated", "user account is deactivated",
            "recipient is unavailable", "recipient is not available", "recipient has opted out", "recipient unsubscribed",
            "user has opted out", "unable to find channel", "unable to find the existing channel",
            "unable to find the user", "cannot find channel", "cannot find user", "could not find channel",
            "could not find user", "could not find the channel", "could not find the user", "couldn't find channel",
            "couldn't find user", "requested entity was not found", "subscription has expired",
            "subscription has unsubscribed", "unregistered user", "recipient has disabled", "could not locate record",
        }
        MOVED { "chat has been migrated", "channel has been moved", "user has moved", "address has changed", "mailbox has moved" }
        AUTH {
            "invalid access token", "invalid token", "invalid bot token", "bot token missing", "bot token is missing", "bot token not configured", "session logged out", "access token is invalid", "access token invalid",
            "access token has expired", "access token expired", "token expired", "token has expired", "token is expired",
            "token is invalid", "token revoked", "token has been revoked", "token was revoked", "invalid authentication",
            "authentication failed", "authentication failure", "authentication required", "authentication error",
            "authorization failed", "authorization required", "invalid credentials", "bad credentials", "wrong credentials",
            "invalid auth", "login required", "not logged in", "logged out", "session expired", "session has expired", "invalid session",
            "invalid or expired session", "invalid or expired token", "permission denied", "access denied", "missing permission",
            "missing permissions", "missing scope", "insufficient permission", "insufficient permissions",
            "insufficient scope", "insufficient privileges", "you do not have permission", "you don't have permission", "you do not have the appropriate permissions",
            "the caller does not have permission", "caller does not have permission", "not authorized", "you are not authorized", "bot is not authorized", "app is not authorized",
            "invalid signature", "signature mismatch", "invalid client", "invalid webhook token", "account suspended",
            "account has been suspended", "account is suspended", "account disabled", "account has been disabled", "bot is disabled",
            "app is disabled", "application is disabled", "insufficient balance", "insufficient funds", "forbidden$", "unauthorized",
        }
        PAYLOAD {
            "message is too long", "message too long", "message too large", "message is too large", "message exceeds", "message length exceeds",
            "text is too long", "text too long", "content is too long", "content too long", "content exceeds", "text exceeds", "body is too long", "body too long", "body too large",
            "maximum message length", "message size exceeds", "message is empty", "message cannot be empty", "message must not be empty",
            "message text is empty", "text is required", "message is required", "content is required", "empty message",
            "cannot send an empty message", "invalid json", "malformed", "invalid payload", "invalid message", "invalid request body", "invalid format",
            "invalid parameter", "invalid argument", "missing required", "missing parameter", "unsupported message type", "unsupported media", "unsupported file",
            "file is too large", "file too large", "file is too big", "attachment is too large", "attachment too large", "request body too large", "payload is too large",
            "content blocked", "message rejected", "message contains", "message was flagged", "duplicate message not allowed", "you are not allowed to create a tweet with duplicate content", "validation failed", "validation error",
        }
        DONE { "message already sent", "already delivered", "duplicate request: already processed" }
        LIMITED_BOT {
            "you are sending too", "sending too many", "you are being rate", "rate limit exceeded", "rate limit reached", "api rate limit", "quota exceeded", "too many messages",
            "message quota", "daily limit", "monthly limit", "hourly limit", "slow mode is enabled", "slowmode", "flood detected", "flood control",
        }
        PENDING { "channel is not ready", "client is not ready", "bot is not ready", "not ready yet", "still connecting", "session is not ready" }
    },
};
