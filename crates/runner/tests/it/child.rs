//! Other processes: this test binary starts itself again with a role.

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{ChildStdout, Command, Stdio},
};

use moorline_lock_core::{LockConfig, Locks, RunTag, Target};

const ROLE: &str = "MOORLINE_TEST_ROLE";
const ARGUMENT: &str = "MOORLINE_TEST_ARGUMENT";

/// A child with a role; it ends when its standard input does.
pub struct Child {
    process: std::process::Child,
    output: BufReader<ChildStdout>,
}

impl Child {
    pub fn start(role: &str, argument: &str) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child::child", "--ignored", "--nocapture", "--quiet", "--test-threads=1"])
            .env(ROLE, role)
            .env(ARGUMENT, argument)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Self { process, output }
    }

    /// A child that holds the lock of `path` when this returns.
    pub fn holding(path: &Path) -> Self {
        let mut child = Self::start("hold", path.to_str().unwrap());
        assert_eq!(child.says().as_deref(), Some("held"));
        child
    }

    /// The next thing the child says to us; `None` when it has ended.
    pub fn says(&mut self) -> Option<String> {
        let mut line = String::new();
        loop {
            line.clear();
            if self.output.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            // The test harness says things, too.
            if let Some(said) = line.trim_end().strip_prefix("child: ") {
                return Some(said.to_owned());
            }
        }
    }

    /// Waits for its end; the number of the signal that killed it, if one did.
    pub fn wait(mut self) -> (bool, Option<i32>) {
        use std::os::unix::process::ExitStatusExt;
        let status = self.process.wait().unwrap();
        (status.success(), status.signal())
    }

    /// Kills it.
    pub fn kill(mut self) {
        self.process.kill().unwrap();
        self.wait();
    }

    /// Lets it end.
    pub fn end(mut self) {
        drop(self.process.stdin.take());
        assert!(self.wait().0);
    }
}

pub fn say(what: &str) {
    use std::io::Write;
    let mut out = std::io::stdout();
    writeln!(out, "\nchild: {what}").unwrap();
    out.flush().unwrap();
}

fn until_told() {
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

#[test]
#[ignore = "a child process of other tests; alone it does nothing"]
fn child() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let argument = std::env::var(ARGUMENT).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    match role.as_str() {
        "hold" => runtime.block_on(async {
            let target = Target::sidecar_of(Path::new(&argument)).unwrap();
            let held =
                Locks::new(LockConfig::default()).acquire(&target, &RunTag::new("child")).await.unwrap();
            say("held");
            until_told();
            held.release().await.unwrap();
        }),
        "beside" => runtime.block_on(crate::attempt::beside(&argument)),
        "turn" => runtime.block_on(crate::crash::turn(&argument)),
        "turns" => runtime.block_on(crate::processes::turns(&argument)),
        "large" => crate::large::child(&argument),
        other => panic!("no such role: {other}"),
    }
}
