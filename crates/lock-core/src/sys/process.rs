//! Who this process is, and what can be known about another one.
//!
//! A pid alone proves nothing (it is reused, and it is 1 in every container); it serves as evidence beside the kernel's
//! own word about the lock file. `kill(pid, 0)` answering EPERM means *alive*.

use std::{io, num::NonZeroI32};

use super::fs::read_small;

/// The identity an owner writes into its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) pid: u32,
    /// Clock ticks since boot, `/proc/PID/stat` field 22. `None` inside a shifted time namespace, where the number would
    /// not mean the same to other readers.
    pub(crate) starttime: Option<u64>,
    /// One per kernel boot, the same in all containers.
    pub(crate) boot_id: Option<String>,
    /// Inode number of the pid namespace; two containers of a pod share host and boot but not this.
    pub(crate) pid_ns: Option<u64>,
    pub(crate) host: Option<String>,
}

impl Identity {
    pub(crate) fn of_this_process() -> Self {
        let pid = std::process::id();
        let text = |path| {
            read_small(path)
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok())
                .map(|text| text.trim().to_owned())
        };
        let starttime = if in_shifted_time_namespace() {
            None
        } else {
            read_small("/proc/self/stat").ok().and_then(|bytes| parse_stat(&bytes)).map(|stat| stat.starttime)
        };
        Self {
            pid,
            starttime,
            boot_id: text("/proc/sys/kernel/random/boot_id"),
            pid_ns: std::fs::read_link("/proc/self/ns/pid").ok().and_then(|link| {
                let link = link.to_str()?;
                link.strip_prefix("pid:[")?.strip_suffix(']')?.parse().ok()
            }),
            host: rustix::system::uname().nodename().to_str().ok().map(str::to_owned),
        }
    }
}

/// Whether `boottime` is offset here, so that start times read by this process are not those others read.
pub(crate) fn in_shifted_time_namespace() -> bool {
    read_small("/proc/self/timens_offsets").is_ok_and(|bytes| {
        String::from_utf8_lossy(&bytes).lines().any(|line| {
            let mut words = line.split_whitespace();
            words.next() == Some("boottime") && words.any(|number| number != "0")
        })
    })
}

/// What is known about a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// No such process in this pid namespace.
    Gone,
    /// It exists; its start time where it could be read.
    Alive { starttime: Option<u64> },
    /// It ended and was not waited for: it holds nothing any more.
    Zombie,
    /// It exists and belongs to somebody else.
    NotPermitted,
    /// It could not be found out.
    Unknown,
}

pub(crate) fn look_at(pid: u32) -> Seen {
    let Some(raw) = i32::try_from(pid)
        .ok()
        .and_then(NonZeroI32::new)
        .and_then(|pid| rustix::process::Pid::from_raw(pid.get()))
    else {
        return Seen::Unknown;
    };
    let permitted = match rustix::process::test_kill_process(raw) {
        Ok(()) => true,
        Err(rustix::io::Errno::SRCH) => return Seen::Gone,
        Err(rustix::io::Errno::PERM) => false,
        Err(_) => return Seen::Unknown,
    };
    match read_small(&format!("/proc/{pid}/stat")).map(|bytes| parse_stat(&bytes)) {
        Ok(Some(stat)) if stat.state == b'Z' || stat.state == b'X' => Seen::Zombie,
        Ok(Some(stat)) => {
            Seen::Alive { starttime: Some(stat.starttime).filter(|_| !in_shifted_time_namespace()) }
        }
        // It ended between the two looks.
        Err(error) if permitted && error.kind() == io::ErrorKind::NotFound && gone(raw) => Seen::Gone,
        Ok(None) | Err(_) if permitted => Seen::Alive { starttime: None },
        Ok(None) | Err(_) => Seen::NotPermitted,
    }
}

fn gone(pid: rustix::process::Pid) -> bool {
    matches!(rustix::process::test_kill_process(pid), Err(rustix::io::Errno::SRCH))
}

/// Whether the command line of `pid` is that of an agent runner, as programs of the OpenClaw generation decide it:
/// `argv[0]` is `openclaw`, or an argument ends in `/openclaw`. `None` when it cannot be read.
pub(crate) fn looks_like_agent(pid: u32) -> Option<bool> {
    let bytes = read_small(&format!("/proc/{pid}/cmdline")).ok().filter(|bytes| !bytes.is_empty())?;
    Some(argv_looks_like_agent(bytes.split(|byte| *byte == 0)))
}

/// The same rule over an argument list.
pub(crate) fn argv_looks_like_agent<'a>(mut argv: impl Iterator<Item = &'a [u8]>) -> bool {
    let first = argv.next().unwrap_or_default();
    first == b"openclaw"
        || first.ends_with(b"/openclaw")
        || argv.any(|argument| argument.ends_with(b"/openclaw"))
}

struct ProcStat {
    state: u8,
    starttime: u64,
}

/// Fields 3 and 22 of `/proc/PID/stat`. The command name may hold spaces and brackets, so fields are counted after the
/// *last* closing bracket.
fn parse_stat(bytes: &[u8]) -> Option<ProcStat> {
    let close = bytes.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(bytes.get(close + 1..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    let state = *fields.next()?.as_bytes().first()?;
    // `state` is field 3, so field 22 is 18 further.
    let starttime = fields.nth(18)?.parse().ok()?;
    Some(ProcStat { state, starttime })
}

/// When a process that started `starttime` ticks after boot started, on the wall clock, in milliseconds since the epoch.
/// Moves with clock steps; serves only as one of several signs about a foreign record.
pub(crate) fn started_at_ms(starttime: u64) -> Option<u64> {
    let bytes = read_small("/proc/stat").ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let boot: u64 = text.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    // USER_HZ is 100 on every architecture that Rust's Linux targets run on (proc_pid_stat(5) gives ticks).
    Some(boot.checked_mul(1000)?.saturating_add(starttime.saturating_mul(10)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_after_the_last_bracket() {
        let line = b"7 (a) b) (c) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4242 20";
        let stat = parse_stat(line).unwrap();
        assert_eq!((stat.state, stat.starttime), (b'S', 4242));
        assert!(parse_stat(b"7 (a").is_none());
    }

    #[test]
    fn this_process_is_alive_with_the_start_time_it_writes() {
        let me = Identity::of_this_process();
        assert_eq!(look_at(me.pid), Seen::Alive { starttime: me.starttime });
        assert_eq!(look_at(0), Seen::Unknown);
        assert_eq!(look_at(u32::MAX), Seen::Unknown);
    }

    #[test]
    fn the_agent_rule_is_argv0_or_a_path_argument() {
        let rule = |argv: &[&str]| argv_looks_like_agent(argv.iter().map(|argument| argument.as_bytes()));
        assert!(rule(&["openclaw"]));
        assert!(rule(&["node", "/usr/lib/openclaw"]));
        assert!(!rule(&["node", "openclaw"]));
        assert!(!rule(&["vim", "openclaw.jsonl"]));
    }
}
