//! Discord. Errors carry a JSON code; a rate limit carries `retry_after` in seconds, as a fraction, and `global`.
//!
//! A code of the 10000 series names a thing that does not exist: the target when it is a channel, guild, user or
//! webhook, otherwise something that the message refers to.

use super::rules::{Table, rows};

pub(super) const TABLE: Table = Table {
    source: "docs.discord.com/developers/topics/opcodes-and-status-codes#json; \
             docs.discord.com/developers/topics/rate-limits",
    codes: rows! { "discord";
        GONE {
            "10003": "Unknown channel", "10004": "Unknown guild", "10007": "Unknown member",
            "10013": "Unknown user", "10015": "Unknown webhook", "10016": "Unknown webhook service",
            "10062": "Unknown interaction", "10065": "Unknown voice state",
            "20024": "Under minimum age", "40007": "The user is banned from this guild",
            "40058": "Cannot send a message in a forum channel", "50001": "Missing access",
            "50002": "Invalid account type", "50003": "Cannot execute action on a DM channel",
            "50007": "Cannot send messages to this user", "50008": "Cannot send messages in a",
            "50009": "Channel verification level is too high",
            "50024": "Cannot execute action on this channel type", "50033": "Invalid Recipient",
            "50055": "Invalid guild", "50083": "Tried to perform an operation on an archived thread",
            "50095": "This server is not available in your location",
            "50173": "You cannot send voice messages in this channel",
            "50278": "Cannot send messages to this user due to having no mutual guilds",
            "160005": "Thread is locked", "160006": "Maximum number of active threads reached",
            "30033": "Maximum number of thread participants",
        }
        AUTH {
            "10001": "Unknown account", "10002": "Unknown application", "10012": "Unknown token",
            "10020": "Unknown session", "20001": "Bots cannot use this endpoint",
            "20002": "Only bots can use this endpoint", "20012": "You are not authorized to perform this action",
            "20018": "Only the owner of this account", "40001": "Unauthorized",
            "40002": "You need to verify your account", "40012": "Connection has been revoked",
            "40333": "Cloudflare is blocking your request", "50010": "OAuth2 application does not have a bot",
            "50011": "OAuth2 application limit reached", "50012": "Invalid OAuth2 state",
            "50013": "You lack permissions to perform that action", "50014": "Invalid authentication token",
            "50017": "Invalid MFA level", "50025": "Invalid OAuth2 access token",
            "50026": "Missing required OAuth2 scope", "50027": "Invalid webhook token",
            "50178": "The user account must first be verified", "50600": "You do not have permission to send this",
            "60003": "Two factor is required",
            // Close codes of the gateway, and the names that discord.js and discord.py give the same.
            "4004": "Authentication failed", "4013": "Invalid intents", "4014": "Disallowed intents", "TokenInvalid",
            "TokenMissing", "LoginFailure", "PrivilegedIntentsRequired", "DisallowedIntents",
        }
        PAYLOAD {
            "10008": "Unknown message", "10011": "Unknown role", "10014": "Unknown emoji",
            "10021": "Unknown asset", "10060": "Unknown sticker", "10061": "Unknown sticker pack",
            "10087": "Unknown tag", "10097": "Unknown sound", "20009": "Explicit content cannot be sent",
            "20031": "Your Stage topic", "30003": "Maximum number of pins", "30004": "Maximum number of recipients",
            "30010": "Maximum number of reactions", "30015": "Maximum number of attachments",
            "40005": "Request entity too large", "40041": "An application command with that name",
            "40061": "Tag names must be unique", "40066": "There are no tags available",
            "40067": "A tag is required to create a forum post", "40094": "This interaction has hit the maximum",
            "50005": "Cannot edit a message authored by another user", "50006": "Cannot send an empty message",
            "50015": "Note was too long", "50016": "Provided too few or too many messages to delete",
            "50019": "A message can only be pinned", "50020": "Invite code was either invalid or taken",
            "50021": "Cannot execute action on a system message", "50028": "Invalid role",
            "50034": "A message provided was too old to bulk delete", "50035": "Invalid form body",
            "50041": "Invalid API version", "50045": "File uploaded exceeds the maximum size",
            "50046": "Invalid file uploaded", "50067": "Invalid request origin", "50068": "Invalid message type",
            "50080": "Cannot edit stickers within a message", "50081": "Invalid sticker sent",
            "50084": "Invalid thread notification settings", "50109": "The request body contains invalid JSON",
            "50110": "The provided file is invalid", "50123": "The provided file type is invalid",
            "50124": "The provided file duration exceeds", "50138": "Failed to resize asset",
            "50146": "Uploaded file not found", "50151": "The specified emoji is invalid",
            "50159": "Voice messages do not support additional content",
            "50160": "Voice messages must have a single audio attachment",
            "50161": "Voice messages must have supporting metadata", "50192": "The provided file does not have",
            "90001": "Reaction was blocked", "160002": "Cannot reply without permission to read message history",
            "160004": "A thread has already been created for this message",
            "200000": "Message was blocked by automatic moderation",
            "200001": "Title was blocked by automatic moderation", "220001": "Webhooks posted to forum channels must",
            "220002": "Webhooks posted to forum channels cannot", "220003": "Webhooks can only create threads",
            "220004": "Webhook services cannot be used", "240000": "Message blocked by harmful links filter",
            "400001": "Access to file uploads has been limited", "520000": "Poll voting blocked",
            "520001": "Poll expired", "520002": "Invalid channel type for poll creation",
            "520003": "Cannot edit a poll message", "520004": "Cannot use an emoji included with the poll",
        }
        LIMITED_CHAT {
            "20016": "This action cannot be performed due to slowmode",
            "20022": "This message cannot be edited due to announcement rate limits",
            "20028": "The channel you are writing has hit the write rate limit",
            "30046": "Maximum number of edits to messages older than 1 hour",
        }
        LIMITED_BOT {
            "20029": "The write action you are performing on the server has hit the write rate limit",
            "30007": "Maximum number of webhooks reached", "30040": "Maximum number of prune requests",
            "40003": "You are opening direct messages too fast",
        }
        LIMITED_GLOBAL { "40062": "Service resource is being rate limited" }
        TRANSIENT {
            "40004": "Send messages has been temporarily disabled",
            "40006": "This feature has been temporarily disabled",             "110001": "Application not yet available", "130000": "API resource is currently overloaded",
        }
        BROKEN { "40043": "Application interaction failed to send" }
        DONE {
            "40033": "This message has already been crossposted",
            "40060": "Interaction has already been acknowledged",
        }
    },
    texts: rows! { "discord";
        AUTH { "missing permissions", "invalid token", "an invalid token was provided", "improper token has been passed", "expected token to be set", "used disallowed intents" }
        LIMITED_GLOBAL { "you are being blocked from accessing our api" }
        LIMITED_BOT { "the resource is being rate limited", "you are being rate limited" }
    },
};
