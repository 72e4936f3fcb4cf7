//! WhatsApp Cloud API, and the older On-Premises API, whose codes have three and four digits. Meta says to build on
//! `code` and not on titles, which it will remove; titles are matched only when the code did not survive. Codes below
//! 1000 that are not of WhatsApp are those of the Graph API, on which it is built.

use super::rules::{Table, rows};

pub(super) const TABLE: Table = Table {
    source: "developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes; \
             developers.facebook.com/docs/graph-api/guides/error-handling; \
             developers.facebook.com/docs/whatsapp/on-premises/errors",
    codes: rows! { "whatsapp";
        AUTH {
            "0": "We were unable to authenticate the app user", "3": "API Method", "10": "Permission denied",
            "33": "Parameter value is not valid", "190": "Access token has expired", "200": "API Permission",
            "368": "Temporarily blocked for policies violations", "102": "API Session",
            "130497": "Business account is restricted from messaging users in this country",
            "131005": "Access denied", "131031": "Account has been locked",
            "131037": "WhatsApp provided number needs display name approval",
            "131042": "Business eligibility payment issue", "131045": "Incorrect certificate",
            "133000": "Incomplete Deregistration", "133005": "Two step verification PIN mismatch",
            "133006": "Phone number re-verification needed", "133008": "Too Many two step verification PIN Guesses",
            "133010": "Phone number Not Registered", "1005": "Access denied", "1031": "Sender account has been locked",
        }
        GONE {
            "130472": "User's number is part of an experiment", "131021": "Recipient cannot be sender",
            "131026": "Message Undeliverable", "131030": "Recipient phone number not in allowed list",
            "131050": "User has stopped receiving marketing messages", "472": "User's number is part of",
            "1006": "Resource not found", "1007": "Recipient blocked to receive message", "1013": "User is not valid",
            "1026": "Receiver incapable",
        }
        PAYLOAD {
            "100": "Invalid parameter", "470": "Message failed to send because", "131008": "Required parameter is missing",
            "131009": "Parameter value is not valid", "131047": "Re-engagement message",
            "131051": "Unsupported message type", "131052": "Media download error", "131053": "Media upload error",
            "131055": "Method not allowed", "132000": "Template Param Count Mismatch",
            "132001": "Template does not exist", "132005": "Template Hydrated Text Too Long",
            "132007": "Template Format Character Policy Violated", "132012": "Template Parameter Format Mismatch",
            "132015": "Template is Paused", "132016": "Template is Disabled", "132068": "Flow is blocked",
            "134011": "WhatsApp Payments terms of service", "135000": "Generic user error",
            "408": "Message is not valid", "410": "Message expired", "1001": "Message too long",
            "1002": "Invalid recipient type", "1004": "Resource already exists", "1008": "Required parameter is missing",
            "1009": "Parameter value is not valid", "1010": "Parameter is not required", "2000": "Template param count mismatch",
            "2001": "Template missing", "2002": "Template fetch failed", "2003": "Template pack missing",
            "2004": "Template param length too long", "2005": "Template hydrated text too long",
            "2006": "Template whitespace policy violated", "2007": "Template format character policy violated",
            "2008": "Template media format unsupported", "2009": "Required component in the template is missing",
        }
        LIMITED_CHAT {
            "131049": "This message was not delivered to maintain healthy ecosystem engagement",
            "131056": "(Business Account, Consumer Account) pair rate limit hit",
        }
        LIMITED_BOT {
            "4": "API Too Many Calls", "17": "User request limit reached", "32": "Page request limit reached",
            "613": "Calls to this api have exceeded the rate limit", "80007": "Rate limit issues",
            "130429": "Rate limit hit", "131048": "Spam rate limit hit", "132069": "Flow is throttled",
            "133009": "Two step verification PIN Guessed Too Fast", "133016": "Account register deregister rate limit",
            "429": "Too many requests", "471": "Spam rate limit hit", "1015": "Too many requests",
        }
        TRANSIENT {
            "2": "API Service", "131016": "Service unavailable", "131057": "Account in maintenance mode",
            "133004": "Server Temporarily Unavailable", "133015": "Please wait a few minutes before attempting",
            "1011": "Service not ready", "1016": "System overloaded", "1018": "Not Primary Master",
            "2494100": "Account in maintenance mode",
        }
        BROKEN {
            "1": "API Unknown", "131000": "Something went wrong", "1000": "General error", "1014": "Internal error",
        }
    },
    texts: rows! { "whatsapp";
        LIMITED_BOT { "application request limit reached", "rate-overlimit" }
        // What WhatsApp Web answers to a query, as Baileys passes it on.
        GONE { "item-not-found", "recipient not on whatsapp", "no lid for user" }
        TRANSIENT { "restart required", "stream errored (restart required)" }
        AUTH {
            "error validating access token", "invalid oauth access token", "the access token could not be decrypted",
            "authentication error",
        }
    },
};
