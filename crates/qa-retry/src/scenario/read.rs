//! From YAML to scenarios: one document each.
//!
//! The decision: YAML is read into plain values first, and each step from its value, so that an error knows scenario, step
//! and field. The option not taken is to read the file into the types at once: what comes out then is a line, and a field
//! only in words. Lines come from a second, lenient reading, and only to be shown.

use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;
use serde_saphyr::Spanned;

use super::{Scenario, ScenarioError, ScenarioProblem, Step, millis};

/// What a document has before its steps are read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document {
    name: String,
    /// For people; `#` comments do as well.
    #[serde(default)]
    #[expect(dead_code, reason = "accepted, so that a scenario can say what it is for")]
    description: Option<String>,
    #[serde(rename = "deadlineMs", default, deserialize_with = "millis::optional")]
    deadline: Option<std::time::Duration>,
    steps: Vec<Value>,
}

/// Where the steps of a document begin.
#[derive(Default, Deserialize)]
struct Lines {
    #[serde(default)]
    steps: Vec<Spanned<IgnoredAny>>,
}

/// Reads the scenarios of a file: one for each YAML document in it. The host reads the file itself; `file` is its name in
/// errors and reports.
///
/// # Errors
/// The first thing that is wrong; a file is run whole or not at all.
pub fn read_scenarios(file: &str, text: &str) -> Result<Vec<Scenario>, ScenarioError> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).map_err(|error| {
        let line = error.location().map(|location| location.line());
        ScenarioError::new(file, ScenarioProblem::NotYaml).on_line(line).caused_by(error)
    })?;
    let lines: Vec<Lines> = serde_saphyr::from_multiple(text).unwrap_or_default();
    if documents.is_empty() {
        return Err(ScenarioError::new(file, ScenarioProblem::Empty));
    }
    let mut scenarios: Vec<Scenario> = Vec::with_capacity(documents.len());
    for (index, document) in documents.into_iter().enumerate() {
        let scenario = read_one(file, index, document).map_err(|error| {
            let line = error.step().and_then(|step| lines.get(index)?.steps.get(step - 1));
            error.on_line(line.map(|step| step.referenced.line()))
        })?;
        if scenarios.iter().any(|other| other.name() == scenario.name()) {
            return Err(ScenarioError::new(file, ScenarioProblem::SameName).in_scenario(scenario.name()));
        }
        scenarios.push(scenario);
    }
    Ok(scenarios)
}

fn read_one(file: &str, index: usize, document: Value) -> Result<Scenario, ScenarioError> {
    let stated = document.get("name").and_then(Value::as_str).filter(|name| !name.trim().is_empty());
    let name = stated.map_or_else(|| format!("document {}", index + 1), str::to_owned);
    let document: Document =
        typed(document).map_err(|(field, problem)| problem_at(file, &name, None, field, problem))?;
    let mut steps = Vec::with_capacity(document.steps.len());
    for (index, step) in document.steps.into_iter().enumerate() {
        let step: Step = typed(step)
            .map_err(|(field, problem)| problem_at(file, &name, Some(index + 1), field, problem))?;
        steps.push(step);
    }
    Scenario::new(file, document.name, document.deadline, steps)
}

/// Reads a value, or says which field is wrong and how.
fn typed<T: for<'de> Deserialize<'de>>(value: Value) -> Result<T, (Option<String>, String)> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        // `.` is the value itself, `?` a place without a name.
        let field = Some(error.path().to_string()).filter(|path| path != "." && path != "?");
        (field, error.into_inner().to_string())
    })
}

fn problem_at(
    file: &str,
    scenario: &str,
    step: Option<usize>,
    field: Option<String>,
    problem: String,
) -> ScenarioError {
    ScenarioError::new(file, ScenarioProblem::Field(problem)).in_scenario(scenario).at(step, field)
}
