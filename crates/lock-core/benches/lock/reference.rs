//! The other program's lock library beside ours, in the same run: `@openclaw/fs-safe`, from its registry, on `node`.
//!
//! Its figures are of the library alone, without what its host program does around each acquisition. Where node or the
//! packages are missing, one line says so and nothing is compared.

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde::Deserialize;

use crate::{
    figures::{Samples, Spread, us},
    uncontended::Place,
};

/// The names under which tests/peers/package.json has its versions.
const PACKAGES: [&str; 2] = ["fs-safe-guarded", "fs-safe-unguarded"];
/// Rounds of ours and theirs in turns, and cycles in each.
const ROUNDS: usize = 20;
const CYCLES: usize = 100;

pub(crate) struct Reference {
    package: &'static str,
    pub(crate) title: String,
}

/// What tasks of one node process came to.
#[derive(Deserialize)]
pub(crate) struct Crowd {
    took: Vec<f64>,
    doubles: u64,
    errors: std::collections::BTreeMap<String, u64>,
    seconds: f64,
    descriptors: i64,
}

fn peers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/peers")
}

/// The libraries to compare with; none, and a line about it, where they cannot be run.
pub(crate) fn all() -> Vec<Reference> {
    let Ok(node) = Command::new("node").arg("--version").output() else {
        println!("  no comparison: `node` is not on the path");
        return Vec::new();
    };
    let node = String::from_utf8_lossy(&node.stdout).trim().to_owned();
    let mut found = Vec::new();
    for package in PACKAGES {
        let manifest = peers().join("node_modules").join(package).join("package.json");
        let Ok(manifest) = std::fs::read(manifest) else {
            println!("  no comparison with {package}: run `npm ci --prefix tests/peers` first");
            continue;
        };
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
        let title = format!("fs-safe {} (node {node})", manifest["version"].as_str().unwrap());
        found.push(Reference { package, title });
    }
    found
}

fn samples(microseconds: &[f64]) -> Samples {
    Samples::from(microseconds.iter().map(|us| Duration::from_secs_f64(us / 1e6)).collect::<Vec<_>>())
}

impl Reference {
    fn start(&self, mode: &str, dir: &Path, numbers: &[String]) -> Child {
        let mut command = Command::new("node");
        // It warns on standard error of each descriptor that library leaves to the garbage collector.
        command
            .arg("--no-warnings")
            .arg(peers().join("bench.mjs"))
            .args([self.package, mode])
            .arg(dir)
            .args(numbers);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
    }

    /// Acquire and release alone, in turns with ours in the same directory.
    pub(crate) fn uncontended(&self, dir: &Path, place: &Place) {
        let mut child = self.start("cycles", dir, &[]);
        let (mut input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut output = BufReader::new(output);
        let (mut theirs, mut ours, mut ratios) = (Samples::default(), Samples::default(), Spread::default());
        for _ in 0..ROUNDS {
            writeln!(input, "{CYCLES}").unwrap();
            let mut line = String::new();
            output.read_line(&mut line).unwrap();
            let mut their_round = samples(&serde_json::from_str::<Vec<f64>>(&line).unwrap());
            let mut our_round = Samples::from(place.cycles(CYCLES));
            ratios.push(us(their_round.percentile(50.0)) / us(our_round.percentile(50.0)));
            theirs.extend(their_round);
            ours.extend(our_round);
        }
        drop(input);
        assert!(child.wait().unwrap().success());
        theirs.line(&self.title);
        ours.line("ours, in turns with it");
        println!(
            "  ours is faster by {}, by means {:.2} x (target >= 25)",
            ratios.line(ROUNDS),
            us(theirs.mean()) / us(ours.mean())
        );
    }

    /// So many tasks in each of so many processes; ours did `ours` turns a second under the same load.
    pub(crate) fn crowd(&self, processes: usize, tasks: usize, length: Duration, ours: f64) {
        let dir = tempfile::tempdir().unwrap();
        // Node takes some 100 ms to start, each of them more when all start at once.
        let start =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() + 2000;
        let numbers = [tasks.to_string(), length.as_millis().to_string(), start.to_string()];
        let children: Vec<_> = (0..processes).map(|_| self.start("tasks", dir.path(), &numbers)).collect();
        let outputs = children.into_iter().map(|child| child.wait_with_output().unwrap());
        let crowds: Vec<Crowd> =
            outputs.map(|output| serde_json::from_slice(&output.stdout).unwrap()).collect();
        let turns: Vec<_> = crowds.iter().map(|crowd| crowd.took.len()).collect();
        let rate =
            turns.iter().sum::<usize>() as f64 / crowds.iter().map(|crowd| crowd.seconds).fold(0.0, f64::max);
        let mut all = Samples::default();
        crowds.iter().for_each(|crowd| all.extend(samples(&crowd.took)));
        all.line(&format!("acquire, {}", self.title));
        let errors: Vec<_> = crowds
            .iter()
            .flat_map(|crowd| &crowd.errors)
            .map(|(code, count)| format!("{count} {code}"))
            .collect();
        println!(
            "  {rate:.0} a second, {} double entries seen inside a process, errors: {}, descriptors left open {}{}; ours is {:.0} x faster",
            crowds.iter().map(|crowd| crowd.doubles).sum::<u64>(),
            if errors.is_empty() { "none".to_owned() } else { errors.join(", ") },
            crowds.iter().map(|crowd| crowd.descriptors).sum::<i64>(),
            match (turns.iter().min(), turns.iter().max()) {
                (Some(least), Some(most)) if processes > 1 =>
                    format!(", slowest/fastest {:.2}", *least as f64 / *most as f64),
                _ => String::new(),
            },
            ours / rate
        );
    }
}
