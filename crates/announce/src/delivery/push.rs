//! Push notifications: Firebase, Apple and Web Push.

use super::rules::{Table, rows};

pub(super) const TABLE: Table = Table {
    source: "firebase.google.com/docs/cloud-messaging/error-codes; \
             developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns; \
             rfc-editor.org/rfc/rfc8030#section-7.3",
    codes: rows! { "push";
        GONE {
            "UNREGISTERED", "NotRegistered", "InvalidRegistration", "BadDeviceToken",
            "DeviceTokenNotForTopic", "ExpiredToken", "messaging/registration-token-not-registered",
            "messaging/invalid-registration-token", "messaging/invalid-recipient",
        }
        AUTH {
            "SENDER_ID_MISMATCH", "THIRD_PARTY_AUTH_ERROR", "MismatchSenderId", "InvalidProviderToken",
            "ExpiredProviderToken", "MissingProviderToken", "BadCertificate",
            "BadCertificateEnvironment", "TopicDisallowed", "messaging/mismatched-credential",
            "messaging/authentication-error", "messaging/third-party-auth-error",
        }
        PAYLOAD {
            "INVALID_ARGUMENT", "MessageTooBig", "InvalidDataKey", "InvalidTtl", "PayloadTooLarge",
            "PayloadEmpty", "BadMessageId", "BadTopic", "MissingTopic", "BadPriority", "BadCollapseId",
            "BadExpirationDate", "InvalidPushType", "BadPath", "MethodNotAllowed",
            "messaging/payload-size-limit-exceeded", "messaging/invalid-payload",
            "messaging/invalid-argument",
        }
        LIMITED_CHAT {
            "DeviceMessageRateExceeded", "messaging/device-message-rate-exceeded",
        }
        LIMITED_BOT {
            "QUOTA_EXCEEDED", "TooManyRequests", "TooManyProviderTokenUpdates",
            "TopicsMessageRateExceeded", "messaging/message-rate-exceeded",
            "messaging/topics-message-rate-exceeded",
        }
        TRANSIENT {
            "UNAVAILABLE", "ServiceUnavailable", "Shutdown",
            "messaging/server-unavailable",
        }
        BROKEN {
            "INTERNAL", "InternalServerError", "messaging/internal-error",
        }
        CUT {
            "IdleTimeout",
        }
    },
    texts: &[],
};
