//! SMS: through Twilio five digits in `code` (WhatsApp over Twilio has the numbers from 63000 on), through Vonage one or
//! two in `status`.

use super::rules::{Table, rows};

pub(super) const TABLE: Table = Table {
    source: "twilio.com/docs/api/errors; twilio.com/docs/whatsapp/api/error-code-mapping; \
             developer.vonage.com/en/messaging/sms/guides/troubleshooting-sms",
    codes: rows! { "sms";
        GONE {
            "20404", "21211", "21214", "21217", "21219", "21401", "21610", "21612", "21614", "21635",
            "30003", "30004", "30005", "30006", "63003", "63015", "63024", "63014", "63032", "63033", "21910", "7", "29", "33",
        }
        AUTH {
            "20003", "20005", "20008", "20403", "20426", "21212", "21213", "21216", "21408", "21603",
            "21606", "21608", "21659", "21660", "30002", "30010", "30034", "30032", "63007",
            "20006", "63001", "63002", "63008", "63020", "63022", "63051", "21703", "90010", "4", "8", "9", "11", "14", "15",
            "32",
        }
        PAYLOAD {
            "20001", "20422", "21602", "21604", "21605", "21617", "21618", "21619", "21620", "21621",
            "21623", "21654", "21655", "21656", "30007", "30019", "63006", "63013",
            "63016", "63019", "63021", "63028", "63035", "63005", "63025", "63027", "63029", "63030", "63031", "63040", "63041", "63042", "92004", "2", "3", "6", "12",
            "22", "23",
        }
        LIMITED_BOT {
            "14107", "20429", "21611", "30001", "30022", "30023", "30027", "63017", "63018", "63038", "1", "10",

        }
        TRANSIENT {
            "20503",
        }
        BROKEN {
            "20500", "63009", "63010", "63011", "63012", "63023", "5",
        }
        UNCERTAIN {
            "30008", "30009",
        }
    },
    texts: rows! { "sms";
        GONE {
            "attempt to send to unsubscribed recipient",
            "the message cannot be sent with the current combination", "is not a mobile number",
        }
        AUTH {
            "permission to send an sms has not been enabled", "the number * is unverified",
        }
    },
};
