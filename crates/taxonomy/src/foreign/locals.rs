//! The operating system's, the TLS stack's and the runtime's codes: this machine, not a provider.
//!
//! The decision: every POSIX errno is known. Those with a class of their own have it; the network's are *transport*,
//! which is a provider's only where a provider was called; the rest are `local.unclassified` **as a fact**, so that a
//! provider's name on an outer layer does not turn a missing file into a provider error and burn candidates for it. The
//! option not taken is leaving them unknown, which does exactly that.
//!
//! Decided with care: `ELOOP`, `ENOTDIR` and `ENAMETOOLONG` are configuration (a path leads where no file can be; a
//! symlinked transcript is refused with `ELOOP`), `EMFILE` and `ENFILE` too (the limit is a setting), `EINVAL` is not
//! (it says nothing of who is wrong), `EBUSY` is no contention (another program has a file open, not the session), and
//! `ENOENT` is configuration only where a program to start is missing.
//!
//! What must stay true: an errno has one meaning here, by name, by number and in a typed chain alike.

use super::word::{
    BUG, CLIENT_GONE, CONFIG, DISK_FULL, Meaning, PERMISSION, SHUTDOWN, TLS_TRUST, UNCLASSIFIED, UNSUPPORTED,
    USER, Word, fact, wrapper,
};

/// A code of the operating system, the TLS stack or the runtime.
pub(super) fn code(text: &str) -> Option<Word> {
    errno(text).or_else(|| tls(text).map(Word::Means)).or_else(|| runtime(text))
}

/// An errno by name.
pub(super) fn errno(text: &str) -> Option<Word> {
    if !text.starts_with('E') {
        return None;
    }
    let code = match text {
        "ENOSPC" | "EDQUOT" | "EFBIG" => DISK_FULL,
        "EACCES" | "EPERM" | "EROFS" => PERMISSION,
        "ENOTSUP" | "EOPNOTSUPP" | "ENOSYS" | "EXDEV" | "ENOLCK" => UNSUPPORTED,
        "ELOOP" | "ENOTDIR" | "ENAMETOOLONG" | "EMFILE" | "ENFILE" | "EADDRINUSE" | "EADDRNOTAVAIL" => CONFIG,
        "ECONNREFUSED" | "ECONNRESET" | "ECONNABORTED" | "ETIMEDOUT" | "ESOCKETTIMEDOUT" | "EHOSTUNREACH"
        | "EHOSTDOWN" | "ENETUNREACH" | "ENETDOWN" | "ENETRESET" | "ENOTFOUND" | "EPIPE" | "ENOTCONN"
        | "EPROTO" | "ESHUTDOWN" | "ENODATA" | "ECONNCLOSED" => return Some(Word::Transport),
        "E2BIG" | "EAGAIN" | "EBADF" | "EBUSY" | "ECANCELED" | "ECHILD" | "EDEADLK" | "EDOM" | "EEXIST"
        | "EFAULT" | "EINTR" | "EINVAL" | "EIO" | "EISDIR" | "EMLINK" | "ENODEV" | "ENOENT" | "ENOEXEC"
        | "ENOMEM" | "ENOTBLK" | "ENOTEMPTY" | "ENOTTY" | "ENXIO" | "EOVERFLOW" | "EOWNERDEAD" | "ERANGE"
        | "ESPIPE" | "ESRCH" | "ESTALE" | "ETXTBSY" | "EWOULDBLOCK" => UNCLASSIFIED,
        _ => return text.starts_with("EAI_").then_some(Word::Transport),
    };
    Some(Word::Means(fact(code, "errno")))
}

/// An errno by its Linux number, negative as Node writes it or positive as everybody else does.
pub(super) fn errno_number(number: i64) -> Option<Word> {
    errno(match number.unsigned_abs() {
        1 => "EPERM",
        2 => "ENOENT",
        4 => "EINTR",
        5 => "EIO",
        11 => "EAGAIN",
        12 => "ENOMEM",
        13 => "EACCES",
        16 => "EBUSY",
        17 => "EEXIST",
        18 => "EXDEV",
        20 => "ENOTDIR",
        21 => "EISDIR",
        22 => "EINVAL",
        23 => "ENFILE",
        24 => "EMFILE",
        26 => "ETXTBSY",
        27 => "EFBIG",
        28 => "ENOSPC",
        30 => "EROFS",
        32 => "EPIPE",
        36 => "ENAMETOOLONG",
        37 => "ENOLCK",
        38 => "ENOSYS",
        39 => "ENOTEMPTY",
        40 => "ELOOP",
        95 => "ENOTSUP",
        98 => "EADDRINUSE",
        101 => "ENETUNREACH",
        104 => "ECONNRESET",
        110 => "ETIMEDOUT",
        111 => "ECONNREFUSED",
        113 => "EHOSTUNREACH",
        122 => "EDQUOT",
        _ => return None,
    })
}

/// A program to start is missing: the errno is `ENOENT` and the call that failed is a spawn.
pub(super) fn missing_program(code: &str, syscall: Option<&str>) -> Option<Meaning> {
    let spawn = syscall.is_some_and(|call| call.starts_with("spawn"));
    (code == "ENOENT" && spawn).then(|| fact(CONFIG, "errno"))
}

/// A certificate that is not trusted here, as OpenSSL and Node name it.
fn tls(text: &str) -> Option<Meaning> {
    let trust = text.starts_with("CERT_")
        || matches!(
            text,
            "DEPTH_ZERO_SELF_SIGNED_CERT"
                | "SELF_SIGNED_CERT_IN_CHAIN"
                | "UNABLE_TO_VERIFY_LEAF_SIGNATURE"
                | "UNABLE_TO_GET_ISSUER_CERT"
                | "UNABLE_TO_GET_ISSUER_CERT_LOCALLY"
                | "UNABLE_TO_DECRYPT_CERT_SIGNATURE"
                | "UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY"
                | "UNABLE_TO_GET_CRL"
                | "INVALID_CA"
                | "INVALID_PURPOSE"
                | "HOSTNAME_MISMATCH"
                | "PATH_LENGTH_EXCEEDED"
                | "ERR_TLS_CERT_ALTNAME_INVALID"
                | "ERR_TLS_CERT_ALTNAME_FORMAT"
        );
    trust.then(|| fact(TLS_TRUST, "tls-code"))
}

/// The codes of Node's own errors and of its HTTP client.
fn runtime(text: &str) -> Option<Word> {
    const RULE: &str = "runtime-code";
    let transport =
        ["UND_ERR_", "ERR_HTTP2_", "ERR_SOCKET_", "ERR_STREAM_PREMATURE", "ERR_TLS_", "ERR_SSL_", "HPE_"];
    // undici's own abort says what every abort says.
    if text == "UND_ERR_ABORTED" || text == "ERR_HTTP2_STREAM_CANCEL" {
        return Some(Word::Means(wrapper(USER, "cancel-code")));
    }
    if transport.iter().any(|prefix| text.starts_with(prefix)) || text == "ERR_NETWORK" {
        return Some(Word::Transport);
    }
    Some(Word::Means(match text {
        "ERR_ACCESS_DENIED" => fact(PERMISSION, RULE),
        "MODULE_NOT_FOUND"
        | "ERR_MODULE_NOT_FOUND"
        | "ERR_INVALID_URL"
        | "ERR_INVALID_CHAR"
        | "ERR_PARSE_ARGS_UNKNOWN_OPTION"
        | "INVALID_CONFIG"
        | "CONFIG_INVALID"
        | "CONFIG_ERROR"
        | "ERR_INVALID_CONFIG" => fact(CONFIG, RULE),
        "ERR_ASSERTION"
        | "ERR_OUT_OF_RANGE"
        | "ERR_METHOD_NOT_IMPLEMENTED"
        | "ERR_INTERNAL_ASSERTION"
        | "OPENCLAW_STATE_LEASE_INVALID_INPUT" => fact(BUG, RULE),
        _ if text.starts_with("ERR_INVALID_") => fact(BUG, RULE),
        // Any other code of Node's: known, and it says nothing of the class.
        _ if text.starts_with("ERR_") => return Some(Word::Silent),
        _ => return None,
    }))
}

/// The signal that ended a process.
pub(super) fn signal(text: &str) -> Option<Meaning> {
    const RULE: &str = "signal";
    Some(match text {
        "SIGTERM" | "SIGQUIT" => fact(SHUTDOWN, RULE),
        "SIGINT" => fact(USER, RULE),
        "SIGHUP" => fact(CLIENT_GONE, RULE),
        _ => return None,
    })
}
