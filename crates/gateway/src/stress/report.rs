//! `--report FILE`: the run on one page, self-contained: figures, invariants, distribution of waits, timeline, how to run it
//! again.
//!
//! Everything is inside the file, so that it can be sent to somebody and looked at without a network. Pictures are SVG
//! with a bounded number of marks, however long the run was.

mod plots;
mod timeline;

use std::path::Path;

use anyhow::Context;
use minijinja::{Environment, context, value::Serde};

use super::{record::Record, summary::Summary};
use crate::{
    audit::Audit,
    events::Line,
    holds::{Span, percentiles},
};

const PAGE: &str = include_str!("report/page.html");

/// What a report is made of.
pub(crate) struct Seen<'a> {
    pub(crate) summary: &'a Summary,
    pub(crate) found: &'a Audit,
    pub(crate) records: &'a [Record],
    pub(crate) lines: &'a [Line],
    pub(crate) holds: &'a [Span],
}

/// Writes the page.
pub(crate) fn write(path: &Path, seen: &Seen<'_>) -> anyhow::Result<()> {
    let page = page(seen)?;
    std::fs::write(path, page).with_context(|| format!("the report {} cannot be written", path.display()))
}

fn page(seen: &Seen<'_>) -> anyhow::Result<String> {
    let Seen { summary, found, records, lines, holds } = seen;
    let mut environment = Environment::new();
    environment.add_template("page.html", PAGE)?;
    let invariants: Vec<_> = found
        .invariants()
        .into_iter()
        .map(|(name, share, says)| context! { name, ok => share.ok, of => share.of, whole => share.whole(), says })
        .collect();
    let faults: Vec<_> = summary
        .faults_injected
        .iter()
        .map(|(kind, injected)| context! { kind, injected, observed => summary.faults_observed.get(kind) })
        .collect();
    let waits = plots::distribution(&super::summary::waits(records))?;
    let timeline = timeline::draw(records, lines, holds)?;
    let spans = context! {
        waited => percentiles(holds.iter().filter_map(|span| span.waited)),
        held => percentiles(holds.iter().filter_map(|span| span.held)),
    };
    let summary = Serde(summary);
    let page = environment.get_template("page.html")?;
    Ok(page.render(context! { summary, invariants, faults, waits, timeline, spans })?)
}
