//! An explanation for people: what it is, how we know, and what will be done about it.

use std::fmt::Write as _;

use super::Explained;
use crate::rules::rules;

/// The explanation as lines of text, the last one without a line end.
///
/// ```
/// use moorline_failover::{Surface, explain, render};
/// let line = serde_json::json!({"status": 402, "provider": "openrouter", "message": "Insufficient credits."});
/// let text = render(&explain(&line, Surface::Auto, std::time::SystemTime::UNIX_EPOCH));
/// assert!(text.starts_with("provider.billing"));
/// assert!(text.contains("failover      next"));
/// ```
#[must_use]
pub fn render(explained: &Explained) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_all(&mut out, explained);
    out.truncate(out.trim_end().len());
    out
}

fn write_all(out: &mut String, explained: &Explained) -> std::fmt::Result {
    writeln!(out, "{}", explained.code)?;
    if let Some(reason) = &explained.reason {
        writeln!(out, "  reason        {reason}")?;
    }
    if let Some(scope) = explained.scope {
        writeln!(out, "  scope         {scope}")?;
    }
    match explained.retry_after_ms {
        Some(millis) => writeln!(out, "  retry         {} ({millis} ms)", explained.retry)?,
        None => writeln!(out, "  retry         {}", explained.retry)?,
    }
    writeln!(out, "  evidence      {} ({})", explained.evidence, explained.certainty)?;
    writeln!(out, "  rule          {}", explained.rule)?;
    if let Some(rule) = rules().find(|rule| rule.id == explained.rule) {
        writeln!(out, "  documented    {}", rule.source)?;
    }
    for cause in &explained.causes {
        match &cause.code {
            Some(code) => writeln!(out, "  beneath       {code} {}", cause.message)?,
            None => writeln!(out, "  beneath       {}", cause.message)?,
        }
    }
    let verdicts = &explained.verdicts;
    writeln!(out, "  runner        {}", verdicts.runner.as_str())?;
    writeln!(out, "  failover      {}", verdicts.failover.as_str())?;
    writeln!(out, "  prompt cache  {}", verdicts.prompt_cache.as_str())?;
    writeln!(out, "  announce      {}", verdicts.announce.as_str())?;
    writeln!(out, "  QA            {}", verdicts.qa.as_str())
}
