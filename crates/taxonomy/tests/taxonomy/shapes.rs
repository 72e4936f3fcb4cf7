//! How errors of the field look, and how runtimes wrap them: the material of the reading tests.
//!
//! Bases are what one program throws; carriers are what stands around it. Every base is tested in every carrier and in
//! combinations of carriers, so a rule that only knows a row of some list fails here.

use serde_json::{Value, json};

/// A base error: what it is called, how it looks, what it is.
pub(crate) struct Base {
    pub(crate) name: &'static str,
    pub(crate) value: fn() -> Value,
    pub(crate) code: &'static str,
}

const fn base(name: &'static str, code: &'static str, value: fn() -> Value) -> Base {
    Base { name, value, code }
}

/// Coordination errors with structure.
pub(crate) const COORDINATION: &[Base] = &[
    base("lock timeout", "coordination.lock_timeout", || {
        json!({ "name": "SessionWriteLockTimeoutError", "code": "OPENCLAW_SESSION_WRITE_LOCK_TIMEOUT", "timeoutMs": 60000,
            "message": "session file locked (timeout 60000ms): pid=77 alive=true /state/a/sessions/1f.jsonl.lock" })
    }),
    base(
        "lock timeout, code only",
        "coordination.lock_timeout",
        || json!({ "code": "OPENCLAW_SESSION_WRITE_LOCK_TIMEOUT" }),
    ),
    base(
        "lock timeout, name only",
        "coordination.lock_timeout",
        || json!({ "name": "SessionWriteLockTimeoutError" }),
    ),
    base("stale", "coordination.lock_stale", || {
        json!({ "name": "SessionWriteLockStaleError", "code": "OPENCLAW_SESSION_WRITE_LOCK_STALE",
            "staleReasons": ["too-old", "hold-exceeded"],
            "message": "session file lock stale (too-old, hold-exceeded): pid=77 alive=true /state/a/sessions/1f.jsonl.lock" })
    }),
    base(
        "lease lost by reasons",
        "coordination.lock_lost",
        || json!({ "code": "OPENCLAW_SESSION_WRITE_LOCK_STALE", "staleReasons": ["lease-lost"] }),
    ),
    base(
        "lease lost by message",
        "coordination.lock_lost",
        || json!({ "name": "SessionWriteLockStaleError", "message": "session file lock stale (lease-lost): expired or replaced lease sqlite:x" }),
    ),
    base(
        "lease lost by reason",
        "coordination.lock_lost",
        || json!({ "name": "SessionWriteLockStaleError", "reason": "lease-lost", "message": "stale" }),
    ),
    base(
        "file lock",
        "coordination.lock_timeout",
        || json!({ "name": "Error", "code": "file_lock_timeout", "lockPath": "/x.lock", "message": "file lock timeout for /x" }),
    ),
    base(
        "file lock stale",
        "coordination.lock_stale",
        || json!({ "name": "Error", "code": "file_lock_stale", "message": "file lock stale for /x" }),
    ),
    base("takeover", "coordination.session_takeover", || {
        json!({ "name": "EmbeddedAttemptSessionTakeoverError",
            "message": "session file changed while embedded prompt lock was released: /state/a/sessions/1f.jsonl" })
    }),
    base(
        "superseded",
        "coordination.writer_superseded",
        || json!({ "name": "Error", "code": "AGENT_RUN_SUPERSEDED_ABORT", "message": "agent run superseded by a newer session writer" }),
    ),
    base(
        "superseded, as an abort",
        "coordination.writer_superseded",
        || json!({ "name": "AbortError", "code": "AGENT_RUN_SUPERSEDED_ABORT", "message": "This operation was aborted" }),
    ),
    base("claim rebound", "coordination.writer_superseded", || {
        json!({ "name": "SessionTranscriptWriterClaimReboundError",
            "message": "session writer claim changed before transcript persistence" })
    }),
    base("lane", "coordination.lane_timeout", || {
        json!({ "name": "CommandLaneTaskTimeoutError",
            "message": "Command lane \"main\" task timed out: elapsed 5ms reached task budget 5ms" })
    }),
    base(
        "claim",
        "coordination.lock_timeout",
        || json!({ "name": "ActiveTurnClaimError", "message": "Session 7f3a already has an active turn claim" }),
    ),
    base(
        "lease held",
        "coordination.lock_timeout",
        || json!({ "name": "OpenClawStateLeaseError", "code": "OPENCLAW_STATE_LEASE_TIMEOUT", "message": "timed out waiting for state lease core/x" }),
    ),
    base(
        "lease gone",
        "coordination.lock_lost",
        || json!({ "name": "OpenClawStateLeaseError", "code": "OPENCLAW_STATE_LEASE_LOST", "message": "state lease core/x was lost" }),
    ),
    base(
        "sqlite",
        "coordination.storage_busy",
        || json!({ "name": "SqliteError", "code": "SQLITE_BUSY", "message": "database is locked" }),
    ),
    base(
        "sqlite of node",
        "coordination.storage_busy",
        || json!({ "name": "Error", "code": "ERR_SQLITE_ERROR", "errcode": 261, "errstr": "database is locked", "message": "database is locked" }),
    ),
    base(
        "lock library",
        "coordination.lock_timeout",
        || json!({ "name": "Error", "code": "ELOCKED", "message": "Lock file is already being held" }),
    ),
    base("wire", "coordination.lock_stale", || {
        json!({ "version": 1, "code": "coordination.lock_stale", "domain": "coordination", "message": "busy", "effect": "none",
            "retryAfterMs": null, "owner": { "pid": 77 }, "lockPath": "/x.lock", "staleReasons": ["too-old"], "waitedMs": 5,
            "causes": [{ "code": null, "message": "busy" }], "legacyCode": "OPENCLAW_SESSION_WRITE_LOCK_STALE" })
    }),
    base(
        "wire of another version",
        "coordination.lock_stale",
        || json!({ "code": "coordination.lock_wedged", "domain": "coordination", "message": "m", "legacyCode": "OPENCLAW_SESSION_WRITE_LOCK_STALE" }),
    ),
];

/// Local errors and cancellations with structure.
pub(crate) const LOCAL: &[Base] = &[
    base(
        "disk full",
        "local.disk_full",
        || json!({ "name": "Error", "code": "ENOSPC", "errno": -28, "syscall": "write", "message": "ENOSPC: no space left on device, write" }),
    ),
    base(
        "quota",
        "local.disk_full",
        || json!({ "errno": -122, "syscall": "write", "message": "write failed" }),
    ),
    base(
        "access",
        "local.permission",
        || json!({ "name": "Error", "code": "EACCES", "message": "EACCES: permission denied, open '/data/s.json'" }),
    ),
    base(
        "read-only",
        "local.permission",
        || json!({ "code": "EROFS", "message": "EROFS: read-only file system, mkdir '/data'" }),
    ),
    base(
        "read-only database",
        "local.permission",
        || json!({ "code": "SQLITE_READONLY_DIRECTORY", "message": "attempt to write a readonly database" }),
    ),
    base(
        "cross device",
        "local.unsupported_filesystem",
        || json!({ "code": "EXDEV", "message": "EXDEV: cross-device link not permitted, rename" }),
    ),
    base("no leases", "local.unsupported_filesystem", || json!({ "code": "ENOLCK" })),
    base(
        "loop",
        "local.config",
        || json!({ "code": "ELOOP", "message": "ELOOP: too many symbolic links encountered, open" }),
    ),
    base(
        "no program",
        "local.config",
        || json!({ "code": "ENOENT", "syscall": "spawn agent-cli", "message": "spawn agent-cli ENOENT" }),
    ),
    base(
        "certificate",
        "local.tls_trust",
        || json!({ "code": "DEPTH_ZERO_SELF_SIGNED_CERT", "message": "self-signed certificate" }),
    ),
    base(
        "altname",
        "local.tls_trust",
        || json!({ "code": "ERR_TLS_CERT_ALTNAME_INVALID", "message": "Hostname/IP does not match" }),
    ),
    base(
        "busy file",
        "local.unclassified",
        || json!({ "code": "EBUSY", "message": "EBUSY: resource busy or locked, open 'C:\\\\data\\\\a.xlsx'" }),
    ),
    base(
        "argument",
        "local.bug",
        || json!({ "name": "TypeError", "code": "ERR_INVALID_ARG_TYPE", "message": "The \"path\" argument must be of type string" }),
    ),
    base("wire bug", "local.bug", || json!({ "code": "local.bug", "domain": "local", "message": "m" })),
    base(
        "restart",
        "cancelled.shutdown",
        || json!({ "name": "AbortError", "code": "OPENCLAW_RESTART_ABORT", "message": "agent run aborted for restart" }),
    ),
    base(
        "stopped",
        "cancelled.user",
        || json!({ "name": "AbortError", "code": "OPENCLAW_DIRECT_ABORT", "message": "agent run aborted" }),
    ),
    base(
        "draining",
        "cancelled.shutdown",
        || json!({ "name": "GatewayDrainingError", "message": "Gateway is draining for restart; new tasks are not accepted" }),
    ),
    base(
        "killed",
        "cancelled.shutdown",
        || json!({ "signal": "SIGTERM", "message": "Command failed: agent-cli" }),
    ),
];

/// What remains of coordination errors when a program kept nothing but the words.
pub(crate) const WORDS: &[(&str, &str)] = &[
    (
        "session file locked (timeout 10000ms): pid=923 /home/u/.openclaw/agents/main/sessions/5242.jsonl.lock",
        "coordination.lock_timeout",
    ),
    (
        "session file lock stale (hold-exceeded): pid=1 alive=true ageMs=1900000 /s/1f.jsonl.lock",
        "coordination.lock_stale",
    ),
    (
        "session file lock stale (lease-lost): expired or replaced SQLite lease sqlite:session-write:[\"main\",\"/s/1f.jsonl\",\"s1\"]",
        "coordination.lock_lost",
    ),
    ("file lock timeout for /s/1f.jsonl", "coordination.lock_timeout"),
    ("file lock stale for /s/1f.jsonl", "coordination.lock_stale"),
    (
        "session file changed while embedded prompt lock was released: /s/1f.jsonl",
        "coordination.session_takeover",
    ),
    ("agent run superseded by a newer session writer", "coordination.writer_superseded"),
    ("session writer claim changed before transcript persistence", "coordination.writer_superseded"),
    ("Command lane \"main\" task timed out after 172830000ms", "coordination.lane_timeout"),
    ("reply session initialization conflicted for agent:main:main", "coordination.storage_busy"),
    ("Session \"agent:main:chat\" changed while starting work. Retry.", "coordination.storage_busy"),
    ("Session 7f3a already has an active turn claim", "coordination.lock_timeout"),
    ("database is locked", "coordination.storage_busy"),
];

/// Something that stands around an error.
pub(crate) struct Carrier {
    pub(crate) name: &'static str,
    pub(crate) wrap: fn(Value) -> Value,
}

const fn carrier(name: &'static str, wrap: fn(Value) -> Value) -> Carrier {
    Carrier { name, wrap }
}

fn text_of(value: &Value) -> String {
    match value.as_str() {
        Some(text) => text.to_owned(),
        None => value.to_string(),
    }
}

/// Carriers that keep the error as a value.
pub(crate) const CARRIERS: &[Carrier] = &[
    carrier("cause", |e| json!({ "name": "Error", "message": "Agent failed before reply", "cause": e })),
    carrier("source", |e| json!({ "message": "turn failed", "source": e })),
    carrier(
        "error",
        |e| json!({ "name": "GatewayClientRequestError", "message": "request failed", "error": e }),
    ),
    carrier(
        "reason of an abort",
        |e| json!({ "name": "AbortError", "message": "This operation was aborted", "reason": e }),
    ),
    carrier(
        "errors",
        |e| json!({ "name": "AggregateError", "message": "", "errors": [{ "name": "Error", "message": "other" }, e] }),
    ),
    carrier(
        "errors of a cause",
        |e| json!({ "message": "batch", "cause": { "name": "AggregateError", "errors": [{ "message": "a", "cause": e }] } }),
    ),
    carrier("inner", |e| json!({ "name": "Error", "message": "invoke failed", "inner": e })),
    carrier(
        "innerException",
        |e| json!({ "ClassName": "System.Exception", "message": "invoke failed", "innerException": e }),
    ),
    carrier("originalError", |e| json!({ "name": "Error", "message": "tool failed", "originalError": e })),
    carrier("suppressed", |e| {
        json!({ "name": "SuppressedError", "message": "An error was suppressed during disposal.",
            "error": { "name": "Error", "message": "dispose" }, "suppressed": e })
    }),
    carrier("data", |e| json!({ "code": -32000, "message": "server error", "data": e })),
    carrier(
        "rpc",
        |e| json!({ "jsonrpc": "2.0", "id": 7, "error": { "code": -32000, "message": "rpc error", "data": { "error": e } } }),
    ),
    carrier(
        "details",
        |e| json!({ "name": "GatewayClientRequestError", "gatewayCode": "UNAVAILABLE", "message": "m", "details": e }),
    ),
    carrier("body", |e| json!({ "message": "peer said no", "body": e })),
    carrier(
        "settled",
        |e| json!([{ "status": "fulfilled", "value": 1 }, { "status": "rejected", "reason": e }]),
    ),
    carrier("exception", |e| json!({ "message": "worker died", "exception": e })),
    carrier("lastError", |e| json!({ "message": "gave up after 3 tries", "lastError": e })),
    carrier("failures", |e| json!({ "message": "2 failed", "failures": [e, { "message": "other" }] })),
    carrier("twelve causes", |mut e| {
        for _ in 0..12 {
            e = json!({ "name": "Error", "message": "wrapped", "cause": e });
        }
        e
    }),
    carrier("json in a message", |e| json!({ "name": "Error", "message": text_of(&e) })),
    carrier("json behind a prefix", |e| json!({ "message": format!("rpc error: {}", text_of(&e)) })),
    carrier("json as the body's text", |e| json!({ "message": "peer said no", "body": text_of(&e) })),
];

/// A name, and what stands around the words.
pub(crate) type TextCarrier = (&'static str, fn(&str) -> Value);

/// Carriers that keep only words.
pub(crate) const TEXT_CARRIERS: &[TextCarrier] = &[
    ("bare", |t| json!(t)),
    ("message", |t| json!({ "message": t })),
    ("named", |t| json!(format!("Error: {t}"))),
    ("named twice", |t| json!(format!("GatewayClientRequestError: Error: {t}"))),
    ("named with a code", |t| json!(format!("Error [ERR_UNHANDLED_ERROR]: {t}"))),
    ("gateway code", |t| json!(format!("INVALID_REQUEST: Error: {t}"))),
    ("decorated", |t| json!(format!("\u{26a0}\u{fe0f} Agent failed before reply: {t}"))),
    (
        "embedded",
        |t| json!({ "name": "Error", "message": format!("Embedded agent failed before reply: {t}") }),
    ),
    (
        "lane",
        |t| json!({ "name": "Error", "message": format!("lane task error: lane=main durationMs=60167 error=\"Error: {t}\"") }),
    ),
    ("log line", |t| {
        json!(format!(
            "2026-06-09T09:58:16.073+00:00 [diagnostic] lane task error: lane=session:agent:main:x durationMs=2 error=\"{t}\""
        ))
    }),
    ("uncaught", |t| json!(format!("Uncaught (in promise) Error: {t}"))),
    ("sentence", |t| json!(format!("sessions_send failed: could not append to the transcript: {t}"))),
    ("method", |t| json!(format!("Error invoking remote method 'agent.run': Error: {t}"))),
    ("rust chain", |t| json!(format!("turn failed\n\nCaused by:\n    0: cannot append\n    1: {t}"))),
    ("node print", |t| {
        json!(format!(
            "Error: wrapped\n    at run (/app/a.js:1:2) {{\n  [cause]: Error: {t}\n      at b (/app/b.js:3:4)\n}}"
        ))
    }),
    (
        "stderr",
        |t| json!({ "message": "Command failed: agent-cli run", "code": 1, "stderr": format!("Error: {t}\n") }),
    ),
    ("error as a string", |t| json!({ "ok": true, "error": t })),
    ("reason as a string", |t| json!({ "name": "AbortError", "reason": t })),
    ("list of strings", |t| json!({ "errors": ["other", t] })),
    ("summary", |t| json!(format!("All models failed (2): openai/gpt-5: {t} | google/gemini-2.5-pro: {t}"))),
    ("summary by lines", |t| {
        json!(format!(
            "All models failed (2):\nopenai/gpt-5: {t} (timeout)\n| google/gemini-2.5-pro: Error: {t}"
        ))
    }),
    ("mixed summary", |t| {
        json!(format!(
            "All models failed (3): openai/gpt-5: 429 Too Many Requests | openrouter/free:x: {t} | a/b: 503 overloaded"
        ))
    }),
    ("attempts", |t| {
        json!({ "name": "FallbackSummaryError", "message": "All models failed (2)", "attempts": [
            { "provider": "openai", "model": "gpt-5", "error": t, "reason": "timeout", "status": 408 },
            { "provider": "google", "model": "gemini", "error": "503 overloaded", "reason": "overloaded", "status": 503 }] })
    }),
    ("candidate", |t| json!({ "provider": "openai", "model": "gpt-5", "message": t })),
    ("stack only", |t| json!({ "stack": format!("Error: {t}\n    at run (/app/a.js:1:2)") })),
];
