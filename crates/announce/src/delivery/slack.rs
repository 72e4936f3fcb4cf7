//! Slack. The Web API answers 200 with `ok: false` and a word in `error`; a rate limit is HTTP 429 with `Retry-After`
//! in seconds. Incoming webhooks use words of their own.
//!
//! A workspace rule that forbids posting in *this* conversation counts as a target that is gone; a token that may not
//! post at all is the sender's.

use super::rules::{Table, rows};

pub(super) const TABLE: Table = Table {
    source: "docs.slack.dev/reference/methods/chat.postMessage#errors; docs.slack.dev/reference/methods/files.completeUploadExternal#errors; docs.slack.dev/apis/web-api/rate-limits; \
             docs.slack.dev/messaging/sending-messages-using-incoming-webhooks",
    codes: rows! { "slack";
        GONE {
            "channel_not_found", "not_in_channel", "is_archived", "is_inactive", "channel_is_archived",
            "channel_type_not_supported", "messages_tab_disabled", "thread_not_found", "thread_locked",
            "cannot_dm_bot", "user_not_found", "users_not_found", "user_not_visible", "user_disabled",
            "user_not_in_channel", "restricted_action", "restricted_action_read_only_channel",
            "restricted_action_thread_only_channel", "restricted_action_non_threadable_channel",
            "restricted_action_thread_locked", "ekm_access_denied", "posting_to_general_channel_denied",
            "action_prohibited", "no_service", "no_service_id", "no_active_hooks", "no_team", "team_not_found",
            "team_disabled",
        }
        AUTH {
            "not_authed", "invalid_auth", "account_inactive", "token_revoked", "token_expired", "invalid_token",
            "no_permission", "missing_scope", "not_allowed_token_type", "access_denied", "accesslimited",
            "enterprise_is_restricted", "two_factor_setup_required", "team_access_not_granted", "user_is_bot",
            "user_is_restricted", "user_is_ultra_restricted", "paid_teams_only",
        }
        PAYLOAD {
            "msg_too_long", "no_text", "msg_blocks_too_long", "too_many_attachments",
            "attachment_payload_limit_exceeded", "too_many_contact_cards", "invalid_blocks",
            "invalid_blocks_format", "invalid_attachments", "markdown_text_conflict", "invalid_metadata_format",
            "invalid_metadata_schema", "metadata_too_large", "metadata_must_be_sent_from_app",
            "cannot_reply_to_message", "duplicate_message_not_found", "duplicate_channel_not_found",
            "as_user_not_supported", "slack_connect_file_link_sharing_blocked",
            "slack_connect_file_upload_sharing_blocked", "slack_connect_canvas_sharing_blocked",
            "slack_connect_blocked_file_type", "slack_connect_clip_sharing_blocked",
            "slack_connect_lists_sharing_blocked", "invalid_arguments", "invalid_arg_name", "invalid_array_arg",
            "invalid_charset", "invalid_form_data", "invalid_json", "json_not_object", "invalid_post_type",
            "missing_post_type", "missing_charset", "superfluous_charset", "missing_argument", "invalid_payload",
            "invalid_channel", "invalid_time", "time_in_past",
            "time_too_far", "unknown_method", "deprecated_endpoint", "method_deprecated",
            "method_not_supported_for_channel_type", "message_not_found", "missing_args", "message_not_in_streaming_state", "message_not_owned_by_app", "streaming_mode_mismatch", "missing_recipient_team_id", "missing_recipient_user_id", "cant_broadcast_message",
            "cant_update_message", "cant_delete_message", "edit_window_closed", "file_not_found",
            "upgrade_required", "invalid_scheduled_message_id", "block_mismatch", "storage_limit_reached",
            "file_upload_size_restricted", "file_uploads_disabled", "file_uploads_except_images_disabled",
            "blocked_file_type", "malware_detected", "post_contents_invalid", "invalid_thread_ts",
        }
        LIMITED_CHAT { "restricted_too_many" }
        LIMITED_BOT {
            "rate_limited", "ratelimited", "message_limit_exceeded", "slack_webapi_rate_limited_error",
        }
        TRANSIENT {
            "team_added_to_org", "request_timeout", "service_unavailable", "external_channel_migrating",
            "org_login_required",
        }
        UNCERTAIN { "fatal_error", "internal_error", "rollup_error" }
        DONE { "already_reacted" }
    },
    texts: rows! { "slack";
        LIMITED_BOT {
            "a rate limit was exceeded", "a rate-limit has been reached", "slack rate limit exceeded",
        }
        BROKEN { "a request error occurred" }
    },
};
