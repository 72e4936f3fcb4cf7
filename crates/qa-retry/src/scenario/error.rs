//! Why a scenario was refused, and where.

use std::fmt;

use moorline_taxonomy::{Local, Mark};

/// A scenario that cannot be run. Nothing of its file is run.
#[derive(Debug)]
pub struct ScenarioError {
    // Boxed: a result should not pay for the size of its error.
    place: Box<Place>,
    problem: ScenarioProblem,
    mark: Mark,
}

#[derive(Debug, Default)]
struct Place {
    file: String,
    line: Option<u64>,
    scenario: Option<String>,
    step: Option<usize>,
    field: Option<String>,
}

/// What is wrong with a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScenarioProblem {
    /// The text is not YAML; the source says more.
    NotYaml,
    /// No scenario in the file.
    Empty,
    /// No name, or an empty one.
    NoName,
    /// Two scenarios of one file have the same name, so that a report could not tell them apart.
    SameName,
    /// No step.
    NoSteps,
    /// A field is unknown, missing, or of the wrong kind.
    Field(String),
    /// Read, but without a meaning; the text says what would have one.
    Meaningless(&'static str),
}

impl ScenarioError {
    pub(super) fn new(file: &str, problem: ScenarioProblem) -> Self {
        let place = Place { file: file.to_owned(), ..Place::default() };
        Self { place: Box::new(place), problem, mark: Mark::new(Local::Config) }
    }

    pub(super) fn in_scenario(mut self, name: &str) -> Self {
        self.place.scenario = Some(name.to_owned());
        self
    }

    pub(super) fn at(mut self, step: Option<usize>, field: Option<String>) -> Self {
        self.place.step = step;
        self.place.field = field;
        self
    }

    pub(super) fn on_line(mut self, line: Option<u64>) -> Self {
        self.place.line = line;
        self
    }

    pub(super) fn caused_by(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.mark = Mark::new(Local::Config).caused_by(source);
        self
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.place.file
    }

    /// The line, from 1, as far as it is known: that of the step, or of the place that is not YAML.
    #[must_use]
    pub fn line(&self) -> Option<u64> {
        self.place.line
    }

    /// The scenario's name, or `document N` for one without.
    #[must_use]
    pub fn scenario(&self) -> Option<&str> {
        self.place.scenario.as_deref()
    }

    /// The step, from 1.
    #[must_use]
    pub fn step(&self) -> Option<usize> {
        self.place.step
    }

    /// The field, as in `send.timeoutMs`.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        self.place.field.as_deref()
    }

    /// What is wrong.
    #[must_use]
    pub fn problem(&self) -> &ScenarioProblem {
        &self.problem
    }
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place.file)?;
        if let Some(line) = self.place.line {
            write!(f, ":{line}")?;
        }
        f.write_str(": ")?;
        if let Some(scenario) = &self.place.scenario {
            write!(f, "scenario {scenario:?}: ")?;
        }
        if let Some(step) = self.place.step {
            write!(f, "step {step}: ")?;
        }
        if let Some(field) = &self.place.field {
            write!(f, "{field}: ")?;
        }
        self.problem.fmt(f)
    }
}

impl fmt::Display for ScenarioProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotYaml => f.write_str("this is not YAML"),
            Self::Empty => f.write_str("there is no scenario in the file"),
            Self::NoName => f.write_str("a scenario needs a name"),
            Self::SameName => f.write_str("another scenario of the file has the same name"),
            Self::NoSteps => f.write_str("a scenario needs at least one step"),
            Self::Field(problem) => f.write_str(problem),
            Self::Meaningless(wanted) => f.write_str(wanted),
        }
    }
}

impl std::error::Error for ScenarioError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.mark)
    }
}
