//! Twitch: HTTP for the API, which may accept a message and drop it (`drop_reason.code`); a notice word in chat.

use super::rules::{Table, rows};

pub(super) const TABLE: Table = Table {
    source: "dev.twitch.tv/docs/api/reference/#send-chat-message; dev.twitch.tv/docs/chat/irc/#msg-id-tags",
    codes: rows! { "twitch";
        GONE {
            "msg_banned", "msg_channel_blocked", "msg_channel_suspended", "msg_emoteonly",
            "msg_followersonly", "msg_followersonly_followed", "msg_followersonly_zero",
            "msg_room_not_found", "msg_subsonly", "msg_suspended", "msg_timedout", "tos_ban",
            "user_banned", "channel_settings", "invalid_user", "followers_only_mode",
            "subscribers_only_mode", "emote_only_mode", "whisper_restricted",
            "whisper_restricted_recipient", "no_help",
        }
        AUTH {
            "msg_requires_verified_phone_number", "msg_verified_email", "no_permission",
            "whisper_banned", "unrecognized_cmd", "msg_warn",
        }
        PAYLOAD {
            "msg_bad_characters", "msg_duplicate", "msg_r9k", "msg_rejected_mandatory", "msg_rejected",
            "automod_held", "msg_empty", "msg_too_long", "msg_facebook",
        }
        LIMITED_CHAT {
            "msg_ratelimit", "msg_slowmode", "slow_mode",
        }
        LIMITED_BOT {
            "whisper_limit_per_min", "whisper_limit_per_sec",
        }
    },
    texts: rows! { "twitch";
        AUTH {
            "login authentication failed", "improperly formatted auth", "login unsuccessful",
            "invalid oauth token", "oauth token is missing", "missing required oauth scope",
            "missing scope",
        }
        GONE {
            "you are permanently banned", "you are banned", "you are timed out", "this room is in",
            "the sender is banned", "the broadcaster is banned", "the user in the broadcaster_id",
        }
        LIMITED_CHAT {
            "your message was not sent because you are sending", "this room is in slow mode",
        }
        PAYLOAD {
            "your message was not sent because it is identical",
            "your message wasn't posted due to conflicts", "the message is too long",
            "this message is duplicate",
        }
    },
};
