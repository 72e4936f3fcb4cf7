//! Mattermost: an HTTP status and a dotted word in `id`, which says what was wrong.

use super::rules::{Table, rows};

pub(super) const TABLE: Table = Table {
    source: "developers.mattermost.com/api-documentation; github.com/mattermost/mattermost/blob/master/server/i18n/en.json",
    codes: rows! { "mattermost";
        GONE {
            "app.channel.get.existing.app_error", "app.channel.get.find.app_error",
            "store.sql_channel.get.existing.app_error", "app.user.missing_account.const",
            "app.user.get.app_error", "api.post.create_post.can_not_post_to_deleted.error",
            "api.post.create_post.town_square_read_only", "app.channel.get_member.missing.app_error",
            "store.sql_channel.get_member.missing.app_error", "api.channel.add_members.error",
            "web.incoming_webhook.channel.app_error", "web.incoming_webhook.invalid.app_error",
            "web.incoming_webhook.disabled.app_error",
            "api.user.get_user_by_email.not_found.app_error", "api.context.404.app_error",
        }
        AUTH {
            "api.context.session_expired.app_error", "api.context.invalid_token.error",
            "api.context.token_provided.app_error", "api.context.permissions.app_error",
            "api.context.mfa_required.app_error", "api.user.login.invalid_credentials_email_username",
            "web.incoming_webhook.permissions.app_error",
            "api.user.check_user_login_attempts.too_many.app_error",
        }
        PAYLOAD {
            "model.post.is_valid.msg.app_error", "model.post.is_valid.props.app_error",
            "model.post.is_valid.message_length.app_error", "api.post.create_post.root_id.app_error",
            "api.post.create_post.channel_root_id.app_error",
            "api.context.invalid_body_param.app_error", "web.incoming_webhook.text.app_error",
            "web.incoming_webhook.parse.app_error",
            "api.file.upload_file.too_large_detailed.app_error",
            "api.context.invalid_url_param.app_error", "web.incoming_webhook.text.length.app_error",
        }
        LIMITED_BOT {
            "api.context.rate_limit.app_error", "app.limit_exceeded",
        }
    },
    texts: rows! { "mattermost";
        GONE {
            "unable to find the existing channel", "unable to find an existing account",
            "can not post to deleted channel", "couldn't find the channel", "couldn't find the user",
            "unable to find the channel",
        }
        AUTH {
            "invalid or expired session", "you do not have the appropriate permissions",
            "invalid webhook",
        }
        LIMITED_BOT {
            "limit exceeded",
        }
    },
};
