//! docs/taxonomy.md is what the code says: rendered here, compared, and written anew on demand.
//!
//! After a change of codes, policy or rules: `MOORLINE_BLESS=1 cargo test -p moorline-taxonomy docs`, then read the
//! difference. The switch is read when this test is built, so that no code of the workspace reads the environment.

use std::{fmt::Write as _, fs, path::Path};

use moorline_taxonomy::{
    Code, Coordination, Domain, Effect, Mark, Owner, Verdicts, Wire,
    foreign::{RULES, legacy_words},
    policy,
};

const BLESS: bool = option_env!("MOORLINE_BLESS").is_some();

#[test]
fn the_page_is_what_the_code_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/taxonomy.md");
    let page = page();
    if BLESS {
        fs::write(&path, page).expect("the page can be written");
        return;
    }
    let stored = fs::read_to_string(&path).expect("docs/taxonomy.md");
    // A difference of one line is easier to read than two pages.
    for (at, (stored, page)) in stored.lines().zip(page.lines()).enumerate() {
        assert_eq!(stored, page, "line {} is stale; see the head of this file", at + 1);
    }
    assert_eq!(stored.len(), page.len(), "docs/taxonomy.md is stale; see the head of this file");
}

fn page() -> String {
    let mut page = String::new();
    page += "# The error taxonomy\n\n";
    page += "<!-- Rendered from crates/taxonomy by its test `docs`; do not edit. -->\n\n";
    page += "Every error that leaves a Moorline crate has a code, an effect and, where the failed side stated one, a delay. The code\n\
             alone decides what five consumers do. A code is written `domain.name`.\n\n";
    codes(&mut page);
    policies(&mut page);
    legacy(&mut page);
    reading(&mut page);
    wire(&mut page);
    page
}

fn line(page: &mut String, text: impl std::fmt::Display) {
    writeln!(page, "{text}").expect("a string takes every text");
}

fn codes(page: &mut String) {
    *page += "## Codes\n\n| code | meaning |\n|---|---|\n";
    for code in Code::all() {
        line(page, format_args!("| `{code}` | {} |", code.meaning()));
    }
    *page += "\n";
}

fn policies(page: &mut String) {
    *page += "## What is done about each\n\n\
              `runner` is the attempt on the same candidate, `failover` the candidate chain, `prompt cache` the storing of a cache\n\
              entry, `announce` the outbox, `QA` the harness. Where two verdicts stand, the first holds for effect *none* and the\n\
              second for *possible* and *done*: what may have been seen is never sent again unasked.\n\n\
              A lock error met on the way back from a prompt is a takeover for the runner, whatever its code.\n\n";
    for domain in Domain::ALL {
        line(page, format_args!("### {}\n", domain.as_str()));
        *page += "| code | runner | failover | prompt cache | announce | QA |\n|---|---|---|---|---|---|\n";
        for code in Code::all().filter(|code| code.domain() == domain) {
            let [none, possible, done] = Effect::ALL.map(|effect| policy(code, effect));
            let Verdicts { runner, failover, prompt_cache, announce, qa } = none;
            let seen = possible.announce.as_str();
            assert_eq!(seen, done.announce.as_str(), "the page shows one word for both");
            let announce = match announce.as_str() {
                same if same == seen => same.to_owned(),
                word => format!("{word} / {seen}"),
            };
            let (runner, failover, cache, qa) =
                (runner.as_str(), failover.as_str(), prompt_cache.as_str(), qa.as_str());
            line(page, format_args!("| `{code}` | {runner} | {failover} | {cache} | {announce} | {qa} |"));
        }
        *page += "\n";
    }
}

fn legacy(page: &mut String) {
    *page += "## Words of other programs\n\n\
              Codes and names that mean one of ours. A stale lock whose reason is `lease-lost` is `coordination.lock_lost`. The two\n\
              lock codes are also written as `legacyCode`, for programs that know no others.\n\n\
              | word | code |\n|---|---|\n";
    for (word, code) in legacy_words() {
        line(page, format_args!("| `{word}` | `{code}` |"));
    }
    *page += "\n";
}

fn reading(page: &mut String) {
    *page += "## Reading foreign errors\n\n\
              An error of another program is walked layer by layer through every carrier: `cause`, `source`, `error`, `reason`,\n\
              `errors`, `inner`, `originalError`, `suppressed`, `data`, `details`, `body`, `response` and their like, JSON inside\n\
              text, text behind a prefix, the candidates of a summary. On one layer these rules are tried in order; the heaviest\n\
              word speaks, and a message is read only where structure says nothing:\n\n\
              | # | rule | evidence | recognises |\n|---|---|---|---|\n";
    for (at, rule) in RULES.iter().enumerate() {
        line(
            page,
            format_args!("| {} | `{}` | {} | {} |", at + 1, rule.id, rule.evidence.as_str(), rule.what),
        );
    }
    *page += "
Two things show that a provider was called. An **answer** (an HTTP status from 400 on, a vendor's code, response headers) decides
over everything beneath it; what was recognised there is kept beside. A **call** (a provider's name, a provider client's error,
a status of success, a failed connection to a known address) only turns an error that nobody recognises into a provider's. No answer are: a
channel's status, a gateway client's status, and the status that a failover record made up for the reason `timeout`.
Connection errors (`ECONNRESET`, `ETIMEDOUT`, `UND_ERR_*`, ...) are a provider's where one was called, and otherwise nobody's.

What decides, in order:

1. a coordination error outside every answer: by structure before by text, then the outermost; of equals a takeover before
   contention. One candidate of a mixed summary that failed by a coordination error makes the whole one: the session is
   contended whatever the others answered;
2. an error of ours or a structured fact of this machine outside every answer, the outermost. An error with a code of ours
   has classified itself, so nothing beneath it decides;
3. a provider's answer: the error is the provider's;
4. a name or a sentence that hints at this machine or program, the outermost;
5. an abort that says nothing of its reason, unless it carries a timeout;
6. a provider's call: the error is the provider's;
7. nothing: `local.unclassified`.

An answer in the words of this taxonomy (a wire code or a legacy code in the body behind a status) came from a gateway, and
is read as such unless a provider is named. A takeover that keeps the error of its prompt (`promptError`) gives way to that
error if a provider answered the prompt.

";
}

fn wire(page: &mut String) {
    let mut wire = Wire::new(
        Coordination::LockStale,
        "session lock held by another live process, pid 4102, longer than staleMs",
    );
    wire.retry_after_ms = Some(1000);
    wire.owner = Some(Owner {
        pid: Some(4102),
        host: Some("build-1".to_owned()),
        run_id: Some("01J9ZQ3M".to_owned()),
        session_key: Some("agent:main:chat".to_owned()),
        alive: Some(true),
        age_ms: Some(1_900_000),
        relation: Some("another live process".to_owned()),
    });
    wire.lock_path = Some("/state/agents/main/sessions/7774.jsonl.lock".to_owned());
    wire.stale_reasons = vec!["too-old".to_owned()];
    wire.waited_ms = Some(60_000);
    wire.causes =
        Wire::of(&Mark::new(Coordination::LockStale).caused_by("flock: resource temporarily unavailable"))
            .causes;
    let example = serde_json::to_string_pretty(&wire).expect("JSON");
    *page += "## The wire form\n\n\
              The same in process, in `error.data` of an RPC answer, and as one line of JSON on stderr and in logs. Every key is always\n\
              written. A reader needs `code` only, takes an effect it does not know for `possible`, and passes a code it does not know\n\
              on as it came.\n\n\
              | key | kind | meaning |\n|---|---|---|\n\
              | `version` | number | of this schema |\n\
              | `code` | string | the class; text never carries it |\n\
              | `domain` | string | the word before the dot |\n\
              | `message` | string | for people; redacted, at most 4 KiB |\n\
              | `effect` | `none`, `possible`, `done` | may the failed call have had a visible effect? |\n\
              | `retryAfterMs` | number or null | when another try makes sense, as the failed side stated it |\n\
              | `owner` | object or null | who owns the lock: `pid`, `host`, `runId`, `sessionKey`, `alive`, `ageMs`, `relation` |\n\
              | `lockPath` | string or null | the lock |\n\
              | `staleReasons` | list of strings | why a lock is called stale |\n\
              | `waitedMs` | number or null | how long the caller waited |\n\
              | `causes` | list of `{code, message}` | the chain beneath, outermost first, at most 32 |\n\
              | `legacyCode` | string or null | what older programs call this code |\n\n";
    line(page, format_args!("```json\n{example}\n```"));
}
