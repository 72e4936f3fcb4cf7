//! The record inside a lock file: who owns it.
//!
//! The four fields that other programs read come first, then ours. It is written once, immediately before the file gets
//! its name, and never rewritten; somebody else's record is compared as bytes and never serialised again. Reading is
//! total: any bytes give a [`Record`], and a field of the wrong type is a missing field.

use std::time::Duration;

use serde_json::Value;

use crate::{
    nonce::Nonce,
    sys::{clock::WallMs, fs::MAX_RECORD, process::Identity},
    tag::RunTag,
};

/// A lock file's contents, as far as they could be read. Every field may be missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Process id, in the owner's pid namespace.
    pub pid: Option<u32>,
    /// `createdAt`, in milliseconds since the Unix epoch.
    pub created_at_ms: Option<u64>,
    /// How long the owner said it would hold at most.
    pub max_hold: Option<Duration>,
    /// Start time of the owner in clock ticks since boot.
    pub starttime: Option<u64>,
    /// 128 random bits, one per publish.
    pub nonce: Option<String>,
    /// The kernel boot of the owner.
    pub boot_id: Option<String>,
    /// The pid namespace of the owner.
    pub pid_ns: Option<u64>,
    /// The device number the owner saw on its lock file.
    pub fs_dev: Option<u64>,
    /// The owner's host name.
    pub host: Option<String>,
    /// The run that owns the lock.
    pub run_id: Option<String>,
    /// The session that run belongs to.
    pub session_key: Option<String>,
    /// The owner keeps an exclusive `flock` on the file for as long as it owns it.
    pub flock: bool,
}

/// What the records of one process have in common, as it is written in them: rendered once, because rendering took a
/// quarter of what an uncontended acquisition runs outside the kernel.
#[derive(Debug)]
pub(crate) struct ProcessText {
    pid: Vec<u8>,
    starttime: Vec<u8>,
    boot: Vec<u8>,
    host: Vec<u8>,
}

impl ProcessText {
    pub(crate) fn of(identity: &Identity) -> Self {
        let mut all = Self { pid: b"{".to_vec(), starttime: Vec::new(), boot: Vec::new(), host: Vec::new() };
        number(&mut all.pid, b"\n  \"pid\": ", Some(u64::from(identity.pid)));
        number(&mut all.starttime, b"\n  \"starttime\": ", identity.starttime);
        text(&mut all.boot, b"\n  \"bootId\": ", identity.boot_id.as_deref());
        number(&mut all.boot, b"\n  \"pidNs\": ", identity.pid_ns);
        text(&mut all.host, b"\n  \"host\": ", identity.host.as_deref());
        all
    }
}

/// What the records of one run have in common.
pub(crate) fn run_text(run_id: &str, session_key: Option<&str>) -> Vec<u8> {
    let mut bytes = Vec::new();
    text(&mut bytes, b"\n  \"runId\": ", Some(run_id));
    text(&mut bytes, b"\n  \"sessionKey\": ", session_key);
    bytes
}

/// The bytes of our record: JSON, two-space indent, final newline.
pub(crate) fn write(
    process: &ProcessText,
    tag: &RunTag,
    nonce: &Nonce,
    now: WallMs,
    max_hold: Duration,
    fs_dev: u64,
    flocked: bool,
) -> Vec<u8> {
    // By hand, without serialiser or formatter, for the same reason. A test holds it to the serialiser's output.
    let mut bytes = Vec::with_capacity(512);
    bytes.extend_from_slice(&process.pid);
    plain(&mut bytes, b"\n  \"createdAt\": ", iso_bytes(now).as_ref().map_or(&[], |text| &text[..]));
    let max_hold = u64::try_from(max_hold.as_millis()).unwrap_or(u64::MAX);
    number(&mut bytes, b"\n  \"maxHoldMs\": ", Some(max_hold));
    bytes.extend_from_slice(&process.starttime);
    plain(&mut bytes, b"\n  \"nonce\": ", nonce.as_bytes());
    bytes.extend_from_slice(&process.boot);
    number(&mut bytes, b"\n  \"fsDev\": ", Some(fs_dev));
    bytes.extend_from_slice(&process.host);
    bytes.extend_from_slice(tag.text());
    if flocked {
        bytes.extend_from_slice(b"\n  \"flock\": 1,");
    }
    // The comma of the last field.
    bytes.pop();
    bytes.extend_from_slice(b"\n}\n");
    bytes
}

fn number(bytes: &mut Vec<u8>, key: &[u8], value: Option<u64>) {
    let Some(mut value) = value else { return };
    bytes.extend_from_slice(key);
    let mut digits = [0; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    bytes.extend_from_slice(&digits[first..]);
    bytes.push(b',');
}

/// A text that needs no escapes.
fn plain(bytes: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    bytes.extend_from_slice(key);
    bytes.push(b'"');
    bytes.extend_from_slice(value);
    bytes.extend_from_slice(b"\",");
}

fn text(bytes: &mut Vec<u8>, key: &[u8], value: Option<&str>) {
    let Some(value) = value else { return };
    bytes.extend_from_slice(key);
    // Into memory, from a string: it cannot fail.
    let _ = serde_json::to_writer(&mut *bytes, value);
    bytes.push(b',');
}

/// ISO-8601 in UTC with milliseconds, as other programs write it; empty beyond the year 9999.
pub(crate) fn iso(at: WallMs) -> String {
    iso_bytes(at).map(|text| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default()
}

fn iso_bytes(at: WallMs) -> Option<[u8; 24]> {
    let timestamp = jiff::Timestamp::from_millisecond(i64::try_from(at.0).ok()?).ok()?;
    let at = jiff::tz::Offset::UTC.to_datetime(timestamp);
    let mut text = *b"0000-00-00T00:00:00.000Z";
    // No field is negative: the milliseconds came from an unsigned number.
    let mut put = |last: usize, width: usize, value: u16| {
        let mut value = value;
        for place in (last + 1 - width..=last).rev() {
            text[place] = b'0' + (value % 10) as u8;
            value /= 10;
        }
    };
    put(3, 4, at.year().unsigned_abs());
    put(6, 2, at.month().unsigned_abs().into());
    put(9, 2, at.day().unsigned_abs().into());
    put(12, 2, at.hour().unsigned_abs().into());
    put(15, 2, at.minute().unsigned_abs().into());
    put(18, 2, at.second().unsigned_abs().into());
    put(22, 3, at.millisecond().unsigned_abs());
    Some(text)
}

impl Record {
    /// Reads a record out of any bytes. Larger than 64 KiB, not JSON, not an object: a record without fields.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Self {
        if bytes.len() as u64 > MAX_RECORD {
            return Self::default();
        }
        let Ok(Value::Object(fields)) = serde_json::from_slice::<Value>(bytes) else {
            return Self::default();
        };
        let number = |key: &str| fields.get(key).and_then(Value::as_u64);
        // A hostile record may not put unbounded text into messages.
        let text = |key: &str| {
            fields
                .get(key)
                .and_then(Value::as_str)
                .filter(|text| !text.is_empty())
                .map(|text| text.chars().take(256).collect::<String>())
        };
        Self {
            pid: number("pid")
                .and_then(|pid| u32::try_from(pid).ok())
                .filter(|pid| *pid > 0 && *pid <= i32::MAX as u32),
            created_at_ms: text("createdAt").and_then(|text| parse_iso(&text)),
            max_hold: number("maxHoldMs").filter(|ms| *ms > 0).map(Duration::from_millis),
            starttime: number("starttime"),
            nonce: text("nonce"),
            boot_id: text("bootId"),
            pid_ns: number("pidNs"),
            fs_dev: number("fsDev"),
            host: text("host"),
            run_id: text("runId"),
            session_key: text("sessionKey"),
            flock: number("flock") == Some(1),
        }
    }

    /// Whether `bytes` can be what is left of a lock file: nothing, zeroes, a record, or the torn beginning of one. Other
    /// programs keep files of their own under names that end in `.lock` (package managers do), and theirs are kept.
    pub(crate) fn is_plausible(bytes: &[u8]) -> bool {
        if bytes.iter().all(|byte| *byte == 0 || byte.is_ascii_whitespace()) {
            return true;
        }
        match serde_json::from_slice::<Value>(bytes) {
            Ok(value) => {
                ["pid", "createdAt", "maxHoldMs", "nonce"].iter().any(|key| value.get(key).is_some())
            }
            Err(_) => {
                const BEGINNING: &[u8] = b"{\"pid\":";
                let written = bytes.iter().filter(|byte| !byte.is_ascii_whitespace());
                written.zip(BEGINNING).all(|(written, expected)| written == expected)
            }
        }
    }

    /// Whether it says who and since when; without either it proves nothing about an owner.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.pid.is_some() && self.created_at_ms.is_some()
    }

    /// The time since `createdAt`, zero when the clock went back.
    pub(crate) fn age(&self, now: WallMs) -> Option<Duration> {
        self.created_at_ms.map(|created| now.since(WallMs(created)))
    }
}

fn parse_iso(text: &str) -> Option<u64> {
    let timestamp: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(timestamp.as_millisecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::Serialize;

    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Payload<'a> {
        pid: u32,
        created_at: String,
        max_hold_ms: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        starttime: Option<u64>,
        nonce: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        boot_id: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pid_ns: Option<u64>,
        fs_dev: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        host: Option<&'a str>,
        run_id: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        session_key: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        flock: Option<u8>,
    }

    fn identity() -> Identity {
        Identity {
            pid: 42,
            starttime: Some(7),
            boot_id: Some("b".into()),
            pid_ns: Some(4_026_531_836),
            host: Some("h".into()),
        }
    }

    fn nonce() -> Nonce {
        Nonce::read("000102030405060708090a0b0c0d0e0f").unwrap()
    }

    #[test]
    fn what_is_written_is_what_other_programs_expect() {
        let tag = RunTag::new("run-1").in_session("agent:main:x");
        let bytes = write(
            &ProcessText::of(&identity()),
            &tag,
            &nonce(),
            WallMs(1_764_000_000_123),
            Duration::from_secs(300),
            9,
            true,
        );
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert!(
            text.starts_with("{\n  \"pid\": 42,\n  \"createdAt\": \"2025-11-24T16:00:00.123Z\",\n  \"maxHoldMs\": 300000,\n  \"starttime\": 7,\n  \"nonce\": \"000102030405060708090a0b0c0d0e0f\","),
            "{text}"
        );
        assert!(text.ends_with("\"flock\": 1\n}\n"), "{text}");
        let record = Record::read(&bytes);
        assert_eq!(record.created_at_ms, Some(1_764_000_000_123));
        assert_eq!(record.run_id.as_deref(), Some("run-1"));
        assert_eq!(record.session_key.as_deref(), Some("agent:main:x"));
        assert!(record.flock && record.is_complete());
    }

    #[test]
    fn an_ownership_token_of_white_space_is_read_past() {
        let record = Record::read(
            b"{\n  \"pid\": 3,\n  \"createdAt\": \"2026-01-01T00:00:00.000Z\"\n}\n\n\t\t\t\t\t\t\t\t \t \t\n",
        );
        assert_eq!(record.pid, Some(3));
        assert!(record.is_complete());
    }

    #[test]
    fn hostile_records_are_records_without_fields() {
        let deep = "[".repeat(60_000);
        for bytes in [
            &b""[..],
            b"\0\0\0\0",
            b"[]",
            b"null",
            b"{\"pid\":",
            b"{\"pid\": -1, \"createdAt\": 5}",
            b"{\"pid\": 0, \"createdAt\": \"yesterday\"}",
            b"{\"pid\": 1e99, \"createdAt\": \"\"}",
            b"{\"pid\": \"12\", \"createdAt\": \"0000\"}",
            b"{\"pid\": 4294967296}",
            deep.as_bytes(),
        ] {
            let record = Record::read(bytes);
            assert!(!record.is_complete());
            assert_eq!(record.pid, None);
        }
        assert_eq!(Record::read(&vec![b' '; 70_000]), Record::default());
    }

    /// What JSON and our fields are made of, so that much of it gets past the first byte.
    const PIECES: [&str; 24] = [
        "{",
        "}",
        "[",
        "]",
        "\"",
        ":",
        ",",
        "pid",
        "\"pid\":",
        "\"createdAt\":",
        "\"maxHoldMs\":",
        "\"flock\":1",
        "\"nonce\":\"",
        "2026-01-01T00:00:00.000Z",
        "1",
        "0",
        "-",
        "9999999999",
        "1e9",
        "null",
        "\\u0000",
        "\\",
        " ",
        "\n",
    ];

    #[test]
    fn only_what_a_lock_file_can_hold_is_plausible() {
        for bytes in [
            &b""[..],
            b" \n",
            b"\0\0\0",
            b"{",
            b"{\n  \"pi",
            b"{\n  \"pid\": 12",
            b"{\"pid\":1}",
            b"{\"createdAt\":5}",
        ] {
            assert!(Record::is_plausible(bytes), "{bytes:?}");
        }
        for bytes in [
            &b"# This file is generated"[..],
            b"{\"nodes\":{}}",
            b"[]",
            b"null",
            b"locked",
            b"{nodes",
            b"\x7fELF",
        ] {
            assert!(!Record::is_plausible(bytes), "{bytes:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(50_000))]

        #[test]
        fn what_is_written_by_hand_is_what_the_serialiser_writes(
            run in ".{0,20}", session in proptest::option::of(".{0,20}"), host in proptest::option::of(".{1,9}"),
            starttime in proptest::option::of(any::<u64>()), ms in 0u64..250_000_000_000_000, flocked: bool,
        ) {
            let identity = Identity { host, starttime, ..identity() };
            let tag = RunTag::new(&run);
            let tag = match &session { Some(session) => tag.in_session(session), None => tag };
            let payload = Payload {
                pid: identity.pid,
                created_at: format!("{:.3}", jiff::Timestamp::from_millisecond(ms.try_into().unwrap()).unwrap()),
                max_hold_ms: 5,
                starttime: identity.starttime,
                nonce: "000102030405060708090a0b0c0d0e0f",
                boot_id: identity.boot_id.as_deref(),
                pid_ns: identity.pid_ns,
                fs_dev: 9,
                host: identity.host.as_deref(),
                run_id: tag.run_id(),
                session_key: tag.session_key(),
                flock: flocked.then_some(1),
            };
            let mut expected = serde_json::to_vec_pretty(&payload).unwrap();
            expected.push(b'\n');
            let written = write(&ProcessText::of(&identity), &tag, &nonce(), WallMs(ms), Duration::from_millis(5), 9, flocked);
            prop_assert_eq!(String::from_utf8(written), String::from_utf8(expected));
        }

        #[test]
        fn reading_is_total(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = Record::read(&bytes);
        }

        #[test]
        fn reading_json_like_text_is_total(pieces in proptest::collection::vec(proptest::sample::select(&PIECES[..]), 0..24)) {
            let record = Record::read(pieces.concat().as_bytes());
            prop_assert!(record.pid.is_none_or(|pid| pid > 0 && i32::try_from(pid).is_ok()));
        }
    }
}
