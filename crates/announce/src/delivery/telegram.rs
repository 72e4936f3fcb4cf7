//! Telegram Bot API. The API documents `error_code`, `parameters.retry_after` and `parameters.migrate_to_chat_id`, and
//! says of descriptions only that they may change; the wordings here are those of the Bot API server's own source and
//! of two lists that users keep. `error_code` is the HTTP status, so the description is the class.
//!
//! "No rights in this chat" counts as a target that is gone and not as a refused sender: the token is good, and
//! every other chat still works.

use super::rules::{Table, rows};

pub(super) const TABLE: Table = Table {
    source: "core.telegram.org/bots/api#making-requests; github.com/tdlib/telegram-bot-api; \
             core.telegram.org/api/errors; github.com/TelegramBotAPI/errors; github.com/vrumger/telegram-errors",
    codes: rows! { "telegram";
        GONE {
            "PEER_ID_INVALID", "CHAT_WRITE_FORBIDDEN", "CHAT_ADMIN_REQUIRED", "CHAT_RESTRICTED", "CHANNEL_PRIVATE",
            "USER_IS_BLOCKED", "USER_DEACTIVATED", "INPUT_USER_DEACTIVATED", "USER_BANNED_IN_CHANNEL",
            "ChatWriteForbiddenError", "ChatAdminRequiredError", "ChatRestrictedError", "ChannelPrivateError",
            "PeerIdInvalidError", "UserIsBlockedError", "UserDeactivatedError", "InputUserDeactivatedError",
            "UserBannedInChannelError",
        }
        AUTH {
            "AUTH_KEY_UNREGISTERED", "AUTH_KEY_DUPLICATED", "SESSION_REVOKED", "USER_DEACTIVATED_BAN",
            "AuthKeyUnregisteredError", "AuthKeyDuplicatedError", "SessionRevokedError", "UserDeactivatedBanError",
        }
        PAYLOAD { "MESSAGE_TOO_LONG", "MESSAGE_EMPTY", "MessageTooLongError", "MessageEmptyError" }
        LIMITED_CHAT { "FloodWaitError", "SlowModeWaitError", "FloodWait", "SlowmodeWait" }
        LIMITED_BOT { "PeerFloodError" }
    },
    texts: rows! { "telegram";
        GONE {
            "chat not found", "user not found", "bot was blocked", "bot was kicked", "bot is not a member",
            "bot is not a participant", "bot blocked by user", "user is deactivated",
            "bot can't initiate conversation", "bot can't send messages to", "bots can't send messages to", "username_", "group is deactivated",
            "the group chat was deleted", "group chat was deactivated", "supergroup members are unavailable",
            "have no rights to send", "not enough rights", "need administrator rights", "chat_write_forbidden",
            "chat_admin_required", "chat_restricted", "chat_not_found", "chat_forbidden", "chat_send_", "chat_guest_send_forbidden",
            "chat_id_invalid", "chat_id is empty", "chat_id must", "invalid chat_id", "chat_invalid",
            "channel_private", "channel_invalid", "channel_public_group_na", "peer_id_invalid",
            "participant_id_invalid", "user_id_invalid", "user_is_blocked", "you_blocked_user",
            "user_deactivated", "input_user_deactivated", "user_banned_in_channel", "user_not_participant",
            "user_privacy_restricted", "privacy_premium_required", "user_is_bot",
            "topic_closed", "topic_deleted", "topic_id_invalid", "message thread not found",
            "business_peer_invalid", "business connection not found", "business_connection_invalid",
            "voice_messages_forbidden", "member not found", "forbidden$",
        }
        MOVED {
            "group chat was upgraded to a supergroup", "group chat was migrated to a supergroup",
            "group migrated to supergroup", "the group has been migrated to a supergroup",
        }
        AUTH {
            "unauthorized$", "the token * was rejected", "invalid token", "invalid bot token", "logged out", "not found$",
            "access_token_invalid", "auth_key_unregistered", "session_revoked", "user_restricted",
        }
        PAYLOAD {
            "message text is empty", "empty formatted text", "message must be non-empty", "text must be non-empty", "message is too long",
            "message_too_long", "message_empty", "message caption is too long", "caption is too long",
            "media_caption_too_long", "media_empty", "media_invalid", "can't parse", "entities too long",
            "entity_", "message to be replied not found", "message to reply not found", "reply message not found",
            "replied message not found", "reply_message_id_invalid", "quote_text_invalid",
            "message identifier is not specified", "message_id_invalid", "message to edit not found",
            "message to delete not found", "message to forward not found", "message to copy not found",
            "message can't be", "message to react not found", "message to pin not found", "inline keyboard button", "message_thread_id", "message_delete_forbidden", "message_edit_time_expired", "message_author_required",
            "message with poll to stop not found", "message is not a poll", "poll ", "poll_", "button_",
            "reply markup", "reply_markup_", "object expected as reply markup", "inline keyboard expected",
            "wrong ", "failed to get http url content", "webpage_", "external_url_invalid", "wc_convert_url_invalid",
            "bad webhook", "can't use getupdates", "can't use file", "can't use the media", "can't upload",
            "type of file mismatch", "file is too big", "file is temporarily unavailable", "file must be non-empty",
            "file_", "invalid file", "invalid sticker", "invalid parse_mode", "unsupported parse_mode",
            "unsupported url protocol", "strings must be encoded in utf-8", "there is no ", "image_process_failed",
            "photo_", "photo should be uploaded", "video_", "document_invalid", "sticker ", "sticker_", "stickerset_", "too much messages",
            "results_too_much", "query is too old", "query_id_invalid", "method is available only",
            "can't demote", "can't restrict", "can't remove", "parameter ", "schedule_", "effect_id_invalid",
            "emoji_invalid", "reaction_invalid", "request entity too large", "request_entity_too_large",
            "url host is empty", "user is an administrator",
        }
        LIMITED_CHAT {
            "retry after", "too many requests", "a wait of * seconds is required", "flood control exceeded", "flood_wait", "slowmode_wait",
            "slow_mode_enabled",
        }
        LIMITED_BOT { "peer_flood" }
        DONE {
            "message is not modified", "message_not_modified", "bot_score_not_modified", "chat description is not modified",
            "chat_not_modified", "chat_about_not_modified", "chat title is not modified",
        }
        TRANSIENT {
            "terminated by other", "terminated by setwebhook", "service unavailable",
        }
        BROKEN {
            "internal server error", "internal", "bad gateway", "gateway timeout", "group send failed",
            "rpc_call_fail", "rpc_mcget_fail", "network request for", "a network error",
        }
    },
};
