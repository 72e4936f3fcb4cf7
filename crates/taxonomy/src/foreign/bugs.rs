//! Names that runtimes give to defects, to wrong configuration and to failed connections.
//!
//! The decision: these are *hints*. A `TypeError` is a defect of this program, unless it is how `fetch` says that a
//! connection failed, or stands around a provider's answer. The option not taken is trusting the name: then a refused
//! connection is a bug, and the chain that should walk stops.
//!
//! What must stay true: a name that provider clients use for a refusal (`PermissionDeniedError`, `NotFoundError`) is not
//! one of them.

use super::word::{BUG, CONFIG, PERMISSION, Word, hint};

/// What an error name of a runtime says, given the error's message.
pub(super) fn name(text: &str, message: Option<&str>) -> Option<Word> {
    const RULE: &str = "runtime-name";
    let bare = text.rsplit(['.', ':']).next().unwrap_or(text);
    Some(match bare {
        "TypeError"
        | "RangeError"
        | "ReferenceError"
        | "EvalError"
        | "URIError"
        | "InternalError"
        | "AssertionError"
        | "AttributeError"
        | "KeyError"
        | "IndexError"
        | "NameError"
        | "UnboundLocalError"
        | "ZeroDivisionError"
        | "NotImplementedError"
        | "RecursionError"
        | "NullPointerException"
        | "IndexOutOfBoundsException"
        | "NullReferenceException"
        | "ArgumentNullException"
        | "ClassCastException" => match message {
            Some(message) if is_transport(message) => Word::Transport,
            Some(message) if message.starts_with("Invalid URL") => Word::Means(hint(CONFIG, RULE)),
            Some(_) | None => Word::Means(hint(BUG, RULE)),
        },
        // Reading JSON that somebody else wrote: an HTML page instead of an answer, a torn file. Not a defect by itself.
        "SyntaxError" => match message {
            Some(message) if message.contains("JSON") => Word::Silent,
            Some(_) | None => Word::Means(hint(BUG, RULE)),
        },
        "ConfigError"
        | "ConfigurationError"
        | "InvalidConfigError"
        | "ConfigValidationError"
        | "MissingConfigError"
        | "MissingEnvVarError"
        | "MissingEnvironmentVariableError"
        | "MissingAgentHarnessError"
        | "ImportError"
        | "ModuleNotFoundError" => Word::Means(hint(CONFIG, RULE)),
        "PermissionError" | "AccessDeniedException" if is_file_error(message) => {
            Word::Means(hint(PERMISSION, RULE))
        }
        "ConnectTimeoutError"
        | "HeadersTimeoutError"
        | "BodyTimeoutError"
        | "SocketError"
        | "FetchError"
        | "ConnectionError"
        | "ConnectionResetError"
        | "ConnectionRefusedError"
        | "ConnectionAbortedError"
        | "BrokenPipeError"
        | "NetworkError"
        | "SocketException"
        | "ConnectException" => Word::Transport,
        _ => return None,
    })
}

/// Two SDKs name a provider's refusal like a file's: only a message about a file is the file's.
fn is_file_error(message: Option<&str>) -> bool {
    message.is_some_and(|message| message.starts_with("[Errno ") || message.starts_with('/'))
}

/// Does the message say that a connection failed, in the words of the HTTP clients?
pub(super) fn is_transport(message: &str) -> bool {
    const STARTS: &[&str] = &[
        "fetch failed",
        "failed to fetch",
        "load failed",
        "terminated",
        "network error",
        "networkerror when attempting",
        "network request",
        "network connection",
        "connection error",
        "connection refused",
        "connection reset",
        "connect econn",
        "connect etimedout",
        "connect ehost",
        "connect enet",
        "read econn",
        "write econn",
        "write epipe",
        "getaddrinfo ",
        "socket hang up",
        "socket connection",
        "other side closed",
        "premature close",
        "client network socket disconnected",
        "error sending request",
        "request to http",
    ];
    STARTS.iter().any(|start| super::phrases::begins(message, start))
}
