//! `--report FILE`: the run on one page, self-contained: figures, invariants, distribution of waits, timeline, how to run it
//! again.
//!
//! Everything is inside the file, so that it can be sent to somebody and looked at without a network. Pictures are SVG
//! with a bounded number of marks, however long the run was.

mod plots;
mod timeline;

use std::{collections::BTreeMap, path::Path};

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
    let count = |of: &BTreeMap<String, usize>, kind: &str| of.get(kind).copied().unwrap_or(0);
    let faults: Vec<_> = summary
        .options
        .faults
        .iter()
        .map(|kind| {
            let word = kind.as_str();
            let injected = count(&summary.faults_injected, word);
            let observed = count(&summary.faults_observed, word);
            context! { kind => word, injected, observed, colour => timeline::css(*kind) }
        })
        .collect();
    let waits = plots::distribution(&super::summary::waits(records))?;
    let timeline = timeline::draw(records, lines, holds)?;
    let spans = context! {
        waited => figures(percentiles(holds.iter().filter_map(|span| span.waited))),
        held => figures(percentiles(holds.iter().filter_map(|span| span.held))),
    };
    let summary = Serde(summary);
    let page = environment.get_template("page.html")?;
    Ok(page.render(context! { summary, invariants, faults, waits, timeline, spans })?)
}

/// Microseconds as milliseconds, and how many there were.
fn figures([p50, p99, most, count]: [u64; 4]) -> Vec<String> {
    let ms = |micros: u64| format!("{:.2}", micros as f64 / 1000.0);
    vec![ms(p50), ms(p99), ms(most), count.to_string()]
}
