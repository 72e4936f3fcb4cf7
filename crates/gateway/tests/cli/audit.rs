//! The audit against planted defects: a run that passes is harmed in its files, one way at a time, and each is named.

use std::{
    fs,
    path::{Path, PathBuf},
};

use moorline_announce::{Filter, Outbox, Row, SqliteOutbox, State};
use serde_json::{Value, json};

use crate::{code, json, run};

/// The files of a run, copied, to be harmed.
struct Files(tempfile::TempDir);

/// What a defect is, what is done, what the audit counts it as, and how it names it.
type Defect = (&'static str, fn(&Files), &'static str, &'static str);

const DEFECTS: &[Defect] = &[
    ("a send that is never settled", lost_send, "lost", "neither replied nor failed"),
    ("a send that is settled twice", settled_twice, "duplicated", "was settled more than once"),
    ("a message that is not there", lost_message, "lost", "is replied, but not in the transcript"),
    ("a message that is there twice", message_twice, "duplicated", "is in the transcripts 2 times"),
    ("a reply that is not there", lost_reply, "lost", "its reply is not there"),
    ("a reply that is there twice", reply_twice, "duplicated", "has 2 replies"),
    ("another reply than was told", other_reply, "lost", "was told a reply that is not in the transcript"),
    ("a failure that was only told", told_failure, "lost", "was told of a failure that is in no ledger"),
    ("a child that was only told", told_child, "lost", "was told of a child that is in no ledger"),
    ("a caller without an answer", unanswered, "lost", "gave up after"),
    ("a run without an end", lost_end, "lost", "was accepted and never ended"),
    ("a run with two ends", two_ends, "duplicated", "ended 2 times"),
    ("a run that failed and replied", two_outcomes, "duplicated", "and its reply is in the transcript"),
    ("a child's result that is not there", lost_result, "lost", "the result of spawn"),
    ("a delivery that is not there", lost_delivery, "lost", "is delivered, and not in its transcript"),
    ("a result on its way", on_its_way, "lost", "is uncertain"),
    ("a step beside another", double_entry, "doubleEntries", "does not follow the step before it"),
    ("two steps that changed places", swapped, "doubleEntries", "does not follow the step before it"),
    ("a line that is there twice", line_twice, "duplicated", "again"),
    ("a line cut in the middle", torn, "torn", "torn line"),
    ("a write after a takeover", after_takeover, "doubleEntries", "after another writer had taken"),
    ("a turn that began again twice", began_twice, "duplicated", "began again 2 times"),
    ("a write after the end", after_end, "duplicated", "wrote again after it had settled"),
    ("a name of another program, lost", lost_outside, "lost", "of another program is not in"),
    ("a parked reply, lost", lost_parked, "lost", "is in no parked file"),
    ("a reply parked twice", parked_twice, "duplicated", "is parked 2 times"),
    ("an event that cannot be read", broken_event, "problems", "event lines cannot be read"),
];

#[test]
fn every_planted_defect_is_found_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let args = [
        "stress",
        "--json",
        "--seed",
        "5",
        "--seconds",
        "4",
        "--turns",
        "6",
        "--faults",
        "none",
        "--state",
        "state",
    ];
    let output = run(dir.path(), &args);
    assert_eq!(code(&output), 0, "{}", String::from_utf8_lossy(&output.stdout));
    let whole = dir.path().join("state");
    let (_, found) = Files::of(&whole).audit();
    assert_eq!(found["problems"], json!([]), "untouched");
    for (defect, harm, counted, named) in DEFECTS {
        let files = Files::of(&whole);
        harm(&files);
        let (exit, found) = files.audit();
        assert_eq!(exit, 1, "{defect}: {found}");
        assert_ne!(found[counted], json!(0), "{defect}: {found}");
        let problems = found["problems"].as_array().unwrap();
        assert!(
            problems.iter().any(|problem| problem.as_str().unwrap().contains(named)),
            "{defect}: {found}"
        );
    }
}

impl Files {
    fn of(state: &Path) -> Self {
        let copy = tempfile::tempdir().unwrap();
        copy_all(state, copy.path());
        Self(copy)
    }

    fn audit(&self) -> (i32, Value) {
        let output = run(self.0.path(), &["audit", "--json", "--state", "."]);
        assert!(!output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        (code(&output), json(&output.stdout))
    }

    fn of_folder(&self, folder: &str) -> Vec<PathBuf> {
        let mut paths: Vec<_> =
            fs::read_dir(self.0.path().join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    }

    fn events(&self) -> Vec<PathBuf> {
        self.of_folder("events")
    }

    fn transcripts(&self) -> Vec<PathBuf> {
        let agents = self.of_folder("sessions").into_iter();
        let all = agents.flat_map(|agent| self.of_folder(agent.to_str().unwrap()));
        all.filter(|path| path.extension().is_some_and(|extension| extension == "jsonl")).collect()
    }

    fn told(&self) -> Vec<PathBuf> {
        vec![self.0.path().join("stress.jsonl")]
    }
}

fn copy_all(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&to).unwrap();
            copy_all(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

fn lines(path: &Path) -> Vec<Value> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn write(path: &Path, lines: &[Value]) {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(path, text).unwrap();
}

/// Changes the lines of the first file in which `find` finds one, given its place.
fn change(
    files: &[PathBuf],
    find: impl Fn(&[Value], usize) -> bool,
    harm: impl FnOnce(&mut Vec<Value>, usize),
) {
    for path in files {
        let mut all = lines(path);
        if let Some(place) = (0..all.len()).find(|place| find(&all, *place)) {
            harm(&mut all, place);
            return write(path, &all);
        }
    }
    panic!("the run has no such line");
}

fn remove(all: &mut Vec<Value>, place: usize) {
    all.remove(place);
}

fn twice(all: &mut Vec<Value>, place: usize) {
    all.insert(place + 1, all[place].clone());
}

/// Appends a copy of an entry as the next step.
fn again_at_the_end(all: &mut Vec<Value>, place: usize) {
    let mut copy = all[place].clone();
    copy["id"] = "planted".into();
    copy["parentId"] = all.last().unwrap()["id"].clone();
    all.push(copy);
}

fn is(event: &'static str) -> impl Fn(&[Value], usize) -> bool {
    move |all, place| all[place]["event"] == event
}

/// The answer to a send that was asked for, which has its key.
fn is_send(value: &Value) -> bool {
    value.as_str().is_some_and(|key| key.starts_with("s5-"))
}

fn is_reply(all: &[Value], place: usize) -> bool {
    all[place]["moorline"]["settled"] == "replied"
}

fn was_told(answer: &'static str, asked: &'static str) -> impl Fn(&[Value], usize) -> bool {
    move |all, place| all[place]["answer"] == answer && all[place]["asked"] == asked
}

fn lost_send(files: &Files) {
    change(&files.events(), is("send_replied"), remove);
}

fn settled_twice(files: &Files) {
    change(&files.events(), is("send_replied"), twice);
}

fn lost_message(files: &Files) {
    // A turn's key begins like a send's, and only a send is looked up by it; so one that was replied to is looked for.
    let of_events = files.events().iter().flat_map(|path| lines(path)).collect::<Vec<_>>();
    let replied =
        |key: &Value| of_events.iter().any(|line| line["event"] == "send_replied" && line["sendId"] == *key);
    let asked = |all: &[Value], place: usize| {
        let key = &all[place]["message"]["idempotencyKey"];
        is_send(key) && replied(key)
    };
    change(&files.transcripts(), asked, remove);
}

fn message_twice(files: &Files) {
    let said = |all: &[Value], place: usize| all[place]["message"]["idempotencyKey"].is_string();
    change(&files.transcripts(), said, again_at_the_end);
}

fn lost_reply(files: &Files) {
    change(&files.transcripts(), is_reply, remove);
}

fn reply_twice(files: &Files) {
    change(&files.transcripts(), is_reply, again_at_the_end);
}

fn other_reply(files: &Files) {
    change(&files.told(), was_told("replied", "turn"), |all, place| all[place]["reply"] = "planted".into());
}

fn told_failure(files: &Files) {
    change(&files.told(), was_told("replied", "send"), |all, place| {
        all[place]["answer"] = "failed".into();
        all[place]["key"] = "planted".into();
    });
}

fn told_child(files: &Files) {
    change(&files.told(), was_told("accepted", "spawn"), |all, place| all[place]["runId"] = "planted".into());
}

fn unanswered(files: &Files) {
    change(&files.told(), was_told("replied", "send"), |all, place| {
        all[place]["answer"] = "unanswered".into()
    });
}

fn lost_end(files: &Files) {
    let of_gateway = |all: &[Value], place: usize| {
        let run = &all[place]["runId"];
        let accepted = |line: &Value| {
            line["event"] == "run_accepted" && line["runId"] == *run && line["recovered"] == true
        };
        is("run_ended")(all, place) && all.iter().any(accepted)
    };
    change(&files.events(), of_gateway, remove);
}

fn two_ends(files: &Files) {
    change(&files.events(), is("run_ended"), twice);
}

fn two_outcomes(files: &Files) {
    let replied =
        |all: &[Value], place: usize| is("run_ended")(all, place) && all[place]["outcome"] == "replied";
    change(&files.events(), replied, |all, place| all[place]["outcome"] = "failed".into());
}

fn is_result(all: &[Value], place: usize) -> bool {
    let key = all[place]["message"]["idempotencyKey"].as_str();
    key.is_some_and(|key| key.ends_with("/completion"))
}

fn lost_result(files: &Files) {
    change(&files.transcripts(), is_result, remove);
}

/// The ledger says that there was nothing to say, and the outbox that it was delivered.
fn lost_delivery(files: &Files) {
    change(&files.transcripts(), is_result, remove);
    for path in files.events() {
        let mut all = lines(&path);
        for line in all.iter_mut().filter(|line| line["event"] == "announce_delivered") {
            line["event"] = "announce_settled".into();
        }
        write(&path, &all);
    }
}

fn on_its_way(files: &Files) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let outbox = SqliteOutbox::open(files.0.path().join("outbox.sqlite")).await.unwrap();
        let row = outbox.list(&Filter::default()).await.unwrap().remove(0);
        let next = Row { state: State::Uncertain, settled_at: None, version: row.version + 1, ..row };
        assert!(outbox.compare_and_set(&next, None).await.unwrap());
    });
}

fn double_entry(files: &Files) {
    change(&files.transcripts(), is_reply, |all, place| {
        again_at_the_end(all, place);
        let first = all[1]["id"].clone();
        all.last_mut().unwrap()["parentId"] = first;
    });
}

fn swapped(files: &Files) {
    change(&files.transcripts(), is_reply, |all, place| all.swap(place - 1, place));
}

fn line_twice(files: &Files) {
    let named = |all: &[Value], place: usize| all[place]["type"] == "session_info";
    change(&files.transcripts(), named, twice);
}

fn torn(files: &Files) {
    let path = files.transcripts().remove(0);
    let text = fs::read_to_string(&path).unwrap();
    let (first, rest) = text.split_once('\n').unwrap();
    fs::write(&path, format!("{}\n{rest}", &first[..first.len() / 2])).unwrap();
}

/// A run's note behind the turn of another, which it would have met as a takeover.
fn after_takeover(files: &Files) {
    let not_the_last = |all: &[Value], place: usize| {
        let run = &all[place]["moorline"]["run"];
        let others = |line: &Value| line["type"] == "message" && line["moorline"]["run"] != *run;
        is_reply(all, place) && all[place..].iter().any(others)
    };
    change(&files.transcripts(), not_the_last, |all, place| {
        all[place]["moorline"]["settled"] = Value::Null;
        let mark = json!({"run": all[place]["moorline"]["run"], "as": "metadata"});
        all.push(json!({"type": "custom", "id": "planted", "parentId": all.last().unwrap()["id"], "moorline": mark}));
    });
}

fn began_twice(files: &Files) {
    change(&files.events(), is("run_ended"), |all, place| {
        let line = json!({
            "at": all[place]["at"], "pid": all[place]["pid"], "event": "run_requeued",
            "runId": all[place]["runId"], "code": "coordination.session_takeover",
        });
        all.extend([line.clone(), line]);
    });
}

fn after_end(files: &Files) {
    change(&files.transcripts(), is_reply, |all, place| {
        let mark = json!({"run": all[place]["moorline"]["run"], "as": "metadata"});
        let id = all[place]["id"].clone();
        all.insert(place + 1, json!({"type": "custom", "id": "planted", "parentId": id, "moorline": mark}));
    });
}

fn lost_outside(files: &Files) {
    let named = |all: &[Value], place: usize| all[place]["type"] == "session_info";
    change(&files.transcripts(), named, |all, place| {
        // Nobody stands on it any more.
        let (id, parent) = (all[place]["id"].clone(), all[place]["parentId"].clone());
        all.iter_mut()
            .filter(|line| line["parentId"] == id)
            .for_each(|line| line["parentId"] = parent.clone());
        all.remove(place);
    });
}

fn lost_parked(files: &Files) {
    change(&files.events(), is("run_ended"), |all, place| all[place]["outcome"] = "parked".into());
}

fn parked_twice(files: &Files) {
    lost_parked(files);
    let events = files.events().iter().flat_map(|path| lines(path)).collect::<Vec<_>>();
    let run = &events.iter().find(|line| line["outcome"] == "parked").unwrap()["runId"];
    let mut path = files.transcripts().remove(0).into_os_string();
    path.push(".parked");
    write(Path::new(&path), &[json!({"runId": run}), json!({"runId": run})]);
}

fn broken_event(files: &Files) {
    let path = files.events().remove(0);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(path, format!("{{\n{text}")).unwrap();
}
