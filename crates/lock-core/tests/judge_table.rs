//! The judge as one table: every combination of record and evidence, grouped so that a person can review it.
//!
//! The decision: the whole product of the evidence (more than 900,000 rows) is judged, and printed as the fewest rows with
//! wildcards that say the same; `tests/golden/judge.txt` is compared with it. `MOORLINE_BLESS=1` writes it anew. The option
//! not taken, a list of chosen cases, shows what was thought of and not what was forgotten.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests"
)]

use std::{collections::HashMap, fmt::Write as _, path::Path, time::Duration};

use moorline_lock_core::{
    Record,
    judge::{Evidence, Judgement, Likeness, Limits, Own, PidEvidence, Probe, State, judge},
};
use proptest::prelude::*;

const LIMITS: Limits = Limits { stale: Duration::from_secs(1800), grace: Duration::from_secs(30) };

const PROBES: [Probe; 3] = [Probe::Free, Probe::Held, Probe::Unknown];
const LIKE: [Likeness; 3] = [Likeness::Same, Likeness::Other, Likeness::Unknown];
const PIDS: [PidEvidence; 8] = [
    PidEvidence::Absent,
    PidEvidence::Gone,
    PidEvidence::Alive,
    PidEvidence::Recycled,
    PidEvidence::StartedLater,
    PidEvidence::Zombie,
    PidEvidence::NotPermitted,
    PidEvidence::Unknown,
];
const OWN: [Own; 3] = [Own::Registered, Own::Orphan, Own::No];

/// What kind of record is judged.
const RECORDS: [&str; 5] = ["ours", "foreign", "no pid", "no createdAt", "neither"];

/// The columns, in an order in which the rows group well, each with the names of its values.
const COLUMNS: [(&str, &[&str]); 12] = [
    ("own", &["Registered", "Orphan", "No"]),
    ("unreadable", &["no", "yes"]),
    ("lease", &["Free", "Held", "Unknown"]),
    ("flock", &["Free", "Held", "Unknown"]),
    ("record", &RECORDS),
    ("network", &["no", "yes"]),
    ("boot", &["Same", "Other", "Unknown"]),
    ("fsDev", &["Same", "Other", "Unknown"]),
    ("unchanged", &["< grace", ">= grace"]),
    ("host", &["Same", "Other", "Unknown"]),
    ("pidNs", &["Same", "Other", "Unknown"]),
    ("pid", &["Absent", "Gone", "Alive", "Recycled", "StartedLater", "Zombie", "NotPermitted", "Unknown"]),
];
const UNREADABLE: usize = 1;
const LEASE: usize = 2;
const RECORD: usize = 4;

type Row = [u8; COLUMNS.len()];

fn record(kind: u8) -> Record {
    let full = Record {
        pid: Some(7),
        created_at_ms: Some(1),
        max_hold: Some(Duration::from_secs(300)),
        ..Record::default()
    };
    match RECORDS[usize::from(kind)] {
        "ours" => Record { flock: true, ..full },
        "foreign" => full,
        "no pid" => Record { pid: None, ..full },
        "no createdAt" => Record { created_at_ms: None, ..full },
        _ => Record { pid: None, created_at_ms: None, ..full },
    }
}

fn evidence(row: &Row) -> Evidence {
    let at = |column: usize| usize::from(row[column]);
    Evidence {
        own: OWN[at(0)],
        unreadable: at(UNREADABLE) == 1,
        lease: PROBES[at(LEASE)],
        flock: PROBES[at(3)],
        network: at(5) == 1,
        boot: LIKE[at(6)],
        fs_dev: LIKE[at(7)],
        unchanged_for: LIMITS.grace.mul_f64(if at(8) == 1 { 1.0 } else { 0.99 }),
        host: LIKE[at(9)],
        pid_ns: LIKE[at(10)],
        pid: PIDS[at(11)],
        looks_like_agent: None,
    }
}

fn judged(row: &Row) -> Judgement {
    judge(&record(row[RECORD]), &evidence(row), Some(Duration::ZERO), &LIMITS)
}

fn words(judgement: &Judgement) -> String {
    let reasons: Vec<_> = judgement.reasons.iter().map(|reason| reason.as_str()).collect();
    let removable = if judgement.removable() { "removable" } else { "report-only" };
    format!("{:<9} {removable:<11} {}", format!("{:?}", judgement.state), reasons.join(", "))
        .trim_end()
        .to_owned()
}

/// A decision tree over the columns from the left; equal branches are one, and a column without influence is left out.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Tree {
    Leaf(String),
    Split(usize, Vec<Tree>),
}

fn tree(column: usize, row: &mut Row, rows: &mut u64) -> Tree {
    let Some((_, values)) = COLUMNS.get(column) else {
        *rows += 1;
        return Tree::Leaf(words(&judged(row)));
    };
    let branches: Vec<_> = (0..values.len())
        .map(|value| {
            row[column] = u8::try_from(value).unwrap();
            tree(column + 1, row, rows)
        })
        .collect();
    if branches.iter().all(|branch| *branch == branches[0]) {
        branches[0].clone()
    } else {
        Tree::Split(column, branches)
    }
}

fn render(tree: &Tree, path: &mut Vec<String>, text: &mut String) {
    match tree {
        Tree::Leaf(words) => {
            writeln!(text, "{:<118} -> {words}", path.join("  ")).unwrap();
        }
        Tree::Split(column, branches) => {
            let (name, values) = COLUMNS[*column];
            let mut groups: Vec<(Vec<&str>, &Tree)> = Vec::new();
            for (value, branch) in values.iter().zip(branches) {
                match groups.iter_mut().find(|(_, known)| *known == branch) {
                    Some((names, _)) => names.push(value),
                    None => groups.push((vec![value], branch)),
                }
            }
            for (names, branch) in groups {
                path.push(format!("{name}={}", names.join("|")));
                render(branch, path, text);
                path.pop();
            }
        }
    }
}

#[test]
fn the_whole_table_is_as_reviewed() {
    let mut rows = 0;
    let tree = tree(0, &mut [0; COLUMNS.len()], &mut rows);
    let mut text = format!(
        "# Every judgement of a lock file: {rows} combinations of record and evidence, equal ones grouped.\n\
         # Read from the left; a column that is not named makes no difference there. Only Dead is removable.\n\
         # Ages are left out: they add too-old and hold-exceeded to Live alone (a property test says so).\n"
    );
    let mut lines = String::new();
    render(&tree, &mut Vec::new(), &mut lines);
    // What may be removed comes first, for that is what a reviewer has to believe.
    for (title, removable) in [("removable", true), ("report-only", false)] {
        let section: Vec<_> =
            lines.lines().filter(|line| line.contains(" removable ") == removable).collect();
        writeln!(text, "\n## {title}: {} groups\n\n{}", section.len(), section.join("\n")).unwrap();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/judge.txt");
    if std::env::var_os("MOORLINE_BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = golden.lines().zip(text.lines()).find(|(old, new)| old != new);
    assert!(
        golden == text,
        "{} is not what the code does (MOORLINE_BLESS=1 writes it): {differs:?}",
        path.display()
    );
}

#[test]
fn what_counts_as_proof_of_life_is_never_removable() {
    let mut counts = HashMap::<&str, u64>::new();
    let mut row = [0; COLUMNS.len()];
    loop {
        let evidence = evidence(&row);
        let judgement = judged(&row);
        if judgement.removable() {
            *counts.entry("removable").or_default() += 1;
            assert_eq!(judgement.state, State::Dead);
            assert!(!judgement.reasons.is_empty(), "{evidence:?}");
            // A holder that the kernel or this process knows of.
            assert_ne!(evidence.lease, Probe::Held, "{evidence:?}");
            assert_ne!(evidence.flock, Probe::Held, "{evidence:?}");
            assert_ne!(evidence.own, Own::Registered, "{evidence:?}");
            // What could not be looked at.
            assert!(
                evidence.flock == Probe::Free && !evidence.network && !evidence.unreadable,
                "{evidence:?}"
            );
            // Without our marker, or through another mount, the lease must have answered, too.
            let ours = record(row[RECORD]).flock
                && evidence.boot == Likeness::Same
                && evidence.fs_dev == Likeness::Same;
            assert!(ours || evidence.lease == Probe::Free, "{evidence:?}");
        }
        if judgement.state == State::Unknown {
            *counts.entry("unknown").or_default() += 1;
        }
        if !next(&mut row) {
            break;
        }
    }
    assert!(counts["removable"] > 1000 && counts["unknown"] > 1000, "{counts:?}");
}

/// Counts up through the product; false after the last row.
fn next(row: &mut Row) -> bool {
    for (value, (_, values)) in row.iter_mut().zip(COLUMNS) {
        *value += 1;
        if usize::from(*value) < values.len() {
            return true;
        }
        *value = 0;
    }
    false
}

fn any_row() -> impl Strategy<Value = Row> {
    any::<[u8; COLUMNS.len()]>().prop_map(|bytes| {
        let mut row = bytes;
        for (value, (_, values)) in row.iter_mut().zip(COLUMNS) {
            *value %= u8::try_from(values.len()).unwrap();
        }
        row
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    /// Neither an age, nor limits, nor the look of a command line makes a lock removable or changes its state.
    #[test]
    fn ages_never_decide(row in any_row(), age in proptest::option::of(0_u64..1 << 54), stale in 1_u64..1 << 54, agent in any::<Option<bool>>()) {
        let limits = Limits { stale: Duration::from_millis(stale), ..LIMITS };
        let evidence = Evidence { looks_like_agent: agent, ..evidence(&row) };
        let aged = judge(&record(row[RECORD]), &evidence, age.map(Duration::from_millis), &limits);
        let plain = judged(&row);
        prop_assert_eq!(aged.state, plain.state);
        prop_assert_eq!(aged.removable(), plain.removable());
        prop_assert!(!aged.live_stale() || (aged.state == State::Live && evidence.own != Own::Registered));
        // What an age adds is a report about a live lock, in the order of `Reason::ALL`.
        if aged.state != State::Live {
            prop_assert_eq!(&aged.reasons, &plain.reasons);
        }
        prop_assert!(aged.reasons.is_sorted());
    }

    /// More knowledge of life never makes a lock more removable.
    #[test]
    fn a_refused_lease_always_means_life(row in any_row()) {
        let mut row = row;
        row[UNREADABLE] = 0;
        row[LEASE] = 1;
        prop_assert_eq!(judged(&row).state, State::Live);
    }
}
