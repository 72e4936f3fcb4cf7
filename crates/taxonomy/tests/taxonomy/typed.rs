//! Typed chains of this process: the mark first, then what came over the wire, then the operating system.

use std::{error::Error, io};

use moorline_taxonomy::{
    Code, Coordination, Effect, Mark, RemoteError, Wire,
    foreign::{Evidence, read_error},
};

fn code(error: &(dyn Error + 'static)) -> Option<String> {
    read_error(error).map(|found| found.code.to_string())
}

#[test]
fn an_io_error_is_read_by_number_and_by_kind() {
    for (number, expected) in [
        (28, Some("local.disk_full")),
        (122, Some("local.disk_full")),
        (13, Some("local.permission")),
        (1, Some("local.permission")),
        (30, Some("local.permission")),
        (18, Some("local.unsupported_filesystem")),
        (95, Some("local.unsupported_filesystem")),
        (40, Some("local.config")),
        (24, Some("local.config")),
        (2, Some("local.unclassified")),
        (22, Some("local.unclassified")),
        // Connections: a provider's if a provider was called, which the caller knows.
        (104, None),
        (110, None),
        (111, None),
    ] {
        assert_eq!(code(&io::Error::from_raw_os_error(number)).as_deref(), expected, "{number}");
    }
    for (kind, expected) in [
        (io::ErrorKind::StorageFull, Some("local.disk_full")),
        (io::ErrorKind::PermissionDenied, Some("local.permission")),
        (io::ErrorKind::ReadOnlyFilesystem, Some("local.permission")),
        (io::ErrorKind::CrossesDevices, Some("local.unsupported_filesystem")),
        (io::ErrorKind::NotFound, Some("local.unclassified")),
        (io::ErrorKind::ConnectionReset, None),
        (io::ErrorKind::TimedOut, None),
        (io::ErrorKind::Other, None),
    ] {
        assert_eq!(code(&io::Error::from(kind)).as_deref(), expected, "{kind:?}");
        assert_eq!(
            code(&io::Error::other(io::Error::from(kind))).as_deref(),
            expected,
            "{kind:?} inside another"
        );
    }
}

#[test]
fn a_mark_decides_over_the_system_s_error_beneath_or_around_it() {
    let mark = Mark::new(Coordination::LockTimeout).caused_by(io::Error::from_raw_os_error(28));
    let around = io::Error::new(io::ErrorKind::PermissionDenied, mark);
    let found = read_error(&around).expect("a mark");
    assert_eq!(
        (found.code, found.evidence, found.rule),
        (Coordination::LockTimeout.into(), Evidence::Wire, "mark")
    );
}

#[test]
fn an_error_of_another_version_is_read_by_its_legacy_code() {
    let wire = |code: &str, legacy: Option<&str>| -> Wire {
        serde_json::from_value(
            serde_json::json!({ "code": code, "message": "m", "effect": "done", "legacyCode": legacy }),
        )
        .expect("a wire error")
    };
    let known =
        RemoteError::from(wire("coordination.lock_wedged", Some("OPENCLAW_SESSION_WRITE_LOCK_STALE")));
    let found = read_error(&known).expect("a legacy code");
    assert_eq!((found.code, found.effect), (Code::from(Coordination::LockStale), Effect::Done));
    assert_eq!(read_error(&RemoteError::from(wire("coordination.lock_wedged", None))), None);
}

#[test]
fn anything_else_is_left_to_the_caller() {
    assert_eq!(code(&std::fmt::Error), None);
    let text: Box<dyn Error> = "session file locked (timeout 5ms)".into();
    assert_eq!(code(&*text), None, "text is not looked at while the error is typed");
}
