//! The table of HTTP statuses: what each says when nothing better was found.
//!
//! A status is the weakest structured evidence, because providers put overload under 429, billing under 400 and a window
//! that is too small under 500. So it decides only after codes, types and the message. The table is total: a status
//! nobody assigned falls to its hundred, and what is below 400 says nothing about a failure.

use super::outcome::{
    AUTH, AUTH_PERMANENT, BILLING, FORMAT, MODEL_NOT_FOUND, OVERLOADED, Outcome, RATE_LIMIT, SERVER_ERROR,
    TIMEOUT, TOO_LARGE,
};
use crate::verdict::{Certainty, Scope};

/// One row.
#[derive(Debug)]
pub(crate) struct StatusRow {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) status: u16,
    pub(crate) outcome: Outcome,
    pub(crate) certainty: Certainty,
    pub(crate) source: &'static str,
}

const IANA: &str = "https://www.iana.org/assignments/http-status-codes/http-status-codes.xhtml";
const NGINX: &str = "https://nginx.org/en/docs/http/ngx_http_core_module.html";
const CLOUDFLARE: &str = "https://developers.cloudflare.com/support/troubleshooting/http-status-codes/";
const GROQ: &str = "https://console.groq.com/docs/errors";
const ANTHROPIC: &str = "https://platform.claude.com/docs/en/api/errors";

macro_rules! statuses {
    ($($status:literal $name:literal => $outcome:expr, $certainty:ident, $source:ident;)+) => {
        /// In order of the status.
        static ROWS: &[StatusRow] = &[$(StatusRow {
            id: concat!("status/", $status),
            name: concat!($status, " ", $name),
            status: $status,
            outcome: $outcome,
            certainty: Certainty::$certainty,
            source: $source,
        }),+];
    };
}

statuses! {
    400 "Bad Request" => FORMAT, Likely, IANA;
    401 "Unauthorized" => AUTH, Likely, IANA;
    402 "Payment Required" => BILLING, Likely, IANA;
    403 "Forbidden" => AUTH, Likely, IANA;
    404 "Not Found" => MODEL_NOT_FOUND, Likely, IANA;
    405 "Method Not Allowed" => FORMAT, Likely, IANA;
    406 "Not Acceptable" => FORMAT, Likely, IANA;
    407 "Proxy Authentication Required" => AUTH.on(Scope::Provider), Likely, IANA;
    408 "Request Timeout" => TIMEOUT, Likely, IANA;
    409 "Conflict" => SERVER_ERROR, Guess, IANA;
    410 "Gone" => MODEL_NOT_FOUND, Likely, IANA;
    411 "Length Required" => FORMAT, Likely, IANA;
    412 "Precondition Failed" => FORMAT, Guess, IANA;
    413 "Content Too Large" => TOO_LARGE, Likely, IANA;
    414 "URI Too Long" => TOO_LARGE, Likely, IANA;
    415 "Unsupported Media Type" => FORMAT, Likely, IANA;
    416 "Range Not Satisfiable" => FORMAT, Likely, IANA;
    417 "Expectation Failed" => FORMAT, Likely, IANA;
    421 "Misdirected Request" => SERVER_ERROR, Guess, IANA;
    422 "Unprocessable Content" => FORMAT, Likely, IANA;
    424 "Failed Dependency" => SERVER_ERROR, Likely, IANA;
    425 "Too Early" => TIMEOUT, Guess, IANA;
    426 "Upgrade Required" => FORMAT, Likely, IANA;
    428 "Precondition Required" => FORMAT, Likely, IANA;
    429 "Too Many Requests" => RATE_LIMIT, Likely, IANA;
    431 "Request Header Fields Too Large" => TOO_LARGE, Likely, IANA;
    444 "No Response" => TIMEOUT, Likely, NGINX;
    451 "Unavailable For Legal Reasons" => AUTH_PERMANENT.on(Scope::Provider), Likely, IANA;
    494 "Request Header Too Large" => TOO_LARGE, Likely, NGINX;
    498 "Capacity Exceeded" => OVERLOADED, Likely, GROQ;
    499 "Client Closed Request" => TIMEOUT, Likely, NGINX;
    500 "Internal Server Error" => SERVER_ERROR, Likely, IANA;
    501 "Not Implemented" => FORMAT, Likely, IANA;
    502 "Bad Gateway" => SERVER_ERROR, Likely, IANA;
    503 "Service Unavailable" => OVERLOADED, Likely, IANA;
    504 "Gateway Timeout" => TIMEOUT, Likely, IANA;
    509 "Bandwidth Limit Exceeded" => RATE_LIMIT, Likely, NGINX;
    520 "Web Server Returned an Unknown Error" => SERVER_ERROR, Likely, CLOUDFLARE;
    521 "Web Server Is Down" => SERVER_ERROR, Likely, CLOUDFLARE;
    522 "Connection Timed Out" => TIMEOUT, Likely, CLOUDFLARE;
    523 "Origin Is Unreachable" => SERVER_ERROR, Likely, CLOUDFLARE;
    524 "A Timeout Occurred" => TIMEOUT, Likely, CLOUDFLARE;
    529 "Overloaded" => OVERLOADED, Certain, ANTHROPIC;
    598 "Network Read Timeout" => TIMEOUT, Likely, NGINX;
    599 "Network Connect Timeout" => TIMEOUT, Likely, NGINX;
}

/// A status of the 500s that nobody assigned.
static SERVER: StatusRow = StatusRow {
    id: "status/5xx",
    name: "5xx",
    status: 500,
    outcome: SERVER_ERROR,
    certainty: Certainty::Guess,
    source: IANA,
};

/// Every row.
pub(crate) fn rows() -> impl Iterator<Item = &'static StatusRow> {
    ROWS.iter().chain(std::iter::once(&SERVER))
}

/// The row of a status. `None` for what is no error, and for an unassigned 4xx: nobody knows what that means, and
/// *unknown* is the honest answer.
pub(crate) fn of(status: u16) -> Option<&'static StatusRow> {
    match ROWS.binary_search_by_key(&status, |row| row.status) {
        Ok(at) => ROWS.get(at),
        Err(_) if (500..600).contains(&status) => Some(&SERVER),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_in_order_for_the_search() {
        assert!(ROWS.windows(2).all(|pair| pair[0].status < pair[1].status));
    }
}
