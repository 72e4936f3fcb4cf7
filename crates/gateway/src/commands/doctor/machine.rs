//! Limits of the machine and of this user that a gateway runs into.

use super::Finding;

/// One inotify instance is used by each process.
const FEW_INSTANCES: u64 = 16;
/// One watch for each lock that is held or waited for.
const FEW_WATCHES: u64 = 1024;
/// One file for each lock and wait, one for each connection.
const FEW_FILES: u64 = 1024;

pub(super) fn look() -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, few) in [("max_user_instances", FEW_INSTANCES), ("max_user_watches", FEW_WATCHES)] {
        let text = std::fs::read_to_string(format!("/proc/sys/fs/inotify/{name}"));
        let number = text.ok().and_then(|text| text.trim().parse::<u64>().ok());
        if let Some(number) = number {
            findings.push(limit("inotify", &format!("fs.inotify.{name}"), number, few, "sysctl -w"));
        }
    }
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX);
    findings.push(limit("openFiles", "the limit of open files", files, FEW_FILES, "ulimit -n"));
    findings
}

/// Pure: whether a limit is enough, and what raises it.
fn limit(check: &'static str, name: &str, number: u64, few: u64, with: &str) -> Finding {
    if number >= few {
        return Finding::ok(check, format!("{name} is {number}"));
    }
    let what = format!("{name} is {number}: waiting for a lock falls back to a timer, or fails");
    Finding::warn(check, what, format!("raise it to {few} or more ({with})"))
}

#[cfg(test)]
mod tests {
    use super::{super::State, *};

    #[test]
    fn a_limit_is_named_with_what_raises_it() {
        assert_eq!(limit("openFiles", "files", 1024, 1024, "ulimit -n").state, State::Ok);
        let low = limit("openFiles", "files", 1023, 1024, "ulimit -n");
        assert_eq!(low.state, State::Warn);
        assert!(low.what.contains("1023") && low.next.unwrap().contains("ulimit -n"));
    }
}
