//! The scenarios that come with the crate, against the gateway in memory; and that docs/qa.md shows what is there.

use moorline_qa_retry::{Outcome, Run, Scenario, ScenarioStatus, read_scenarios, summary};
use moorline_retry::SystemClock;

use crate::fake::Fake;

const MODELS: &str = include_str!("../../scenarios/models/qa.yaml");

const PACK: [(&str, &str); 5] = [
    ("announce.yaml", include_str!("../../scenarios/announce.yaml")),
    ("contention.yaml", include_str!("../../scenarios/contention.yaml")),
    ("provider.yaml", include_str!("../../scenarios/provider.yaml")),
    ("send.yaml", include_str!("../../scenarios/send.yaml")),
    ("tools.yaml", include_str!("../../scenarios/tools.yaml")),
];

fn pack() -> Vec<Scenario> {
    PACK.iter().flat_map(|(file, text)| read_scenarios(file, text).unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn the_pack_passes_and_only_contention_needed_retries() {
    let fake = Fake::new(MODELS);
    let report = Run::new("01J", &fake, &SystemClock).unwrap().contention(&fake).run(&pack()).await;
    assert_eq!(report.outcome, Outcome::Passed, "\n{}", summary(&report, false));
    let retried = |status| -> Vec<&str> {
        report.scenarios.iter().filter(|one| one.status == status).map(|one| one.name.as_str()).collect()
    };
    assert_eq!(
        retried(ScenarioStatus::PassedAfterRetry),
        ["contention is retried, and the retry is shown", "a turn that met contention happens once"]
    );
}

#[tokio::test(start_paused = true)]
async fn the_pack_can_fail() {
    // Models that say nothing of what the pack expects: a scenario that passes now checks nothing.
    let fake = Fake::new("agents:\n  '*':\n    - reply: nothing\n");
    let report = Run::new("01J", &fake, &SystemClock).unwrap().contention(&fake).run(&pack()).await;
    let passed: Vec<_> = report
        .scenarios
        .iter()
        .filter(|one| one.status != ScenarioStatus::Failed)
        .map(|one| one.name.as_str())
        .collect();
    // This one is about a lock, whatever the models say.
    assert_eq!(passed, ["contention that is expected is not retried"]);
}

#[test]
fn every_scenario_file_is_in_the_pack() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".yaml"))
        .collect();
    files.sort();
    assert_eq!(files, PACK.map(|(file, _)| file));
}

#[tokio::test(start_paused = true)]
async fn the_examples_of_the_page_pass() {
    let page = include_str!("../../../../docs/qa.md");
    let examples: Vec<_> =
        page.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(examples.len(), 3);
    for example in examples {
        let fake = Fake::new(MODELS);
        let scenarios = read_scenarios("docs/qa.md", example).unwrap();
        let report = Run::new("01J", &fake, &SystemClock).unwrap().contention(&fake).run(&scenarios).await;
        assert_eq!(report.outcome, Outcome::Passed, "\n{}", summary(&report, false));
    }
}
