//! The timeline: a row for the gateway and rows for runner processes, their holds in them, and the faults above.
//!
//! A run of ten minutes has a hundred thousand holds and thousands of processes. They are drawn by column: a column of a
//! row is as dark as the part of its time in which a lock was held.

use std::collections::{BTreeMap, BTreeSet};

use plotters::prelude::{
    ChartBuilder, Color, IntoDrawingArea, PathElement, RGBColor, Rectangle, SVGBackend, Text, WHITE,
};

use super::plots::LINE;
use crate::{
    events::{Event, Line},
    holds::Span,
    stress::{
        plan::FaultKind,
        record::{Record, Target},
    },
};

const WIDTH: u32 = 1000;
const ROW: u32 = 22;
/// Around the rows: the faults above and the axis below.
const AROUND: u32 = 90;
const MARGIN: u32 = 10;
const AXIS: u32 = 40;
const COLUMNS: usize = 500;
/// Rows of runners; more at once share the last one.
const RUNNERS: usize = 8;

/// A process: when it was there, and in which row.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Place {
    row: usize,
    from: u64,
    to: u64,
}

/// Draws the run from its first record to its last.
pub(super) fn draw(records: &[Record], lines: &[Line], holds: &[Span]) -> anyhow::Result<String> {
    let Some((begin, end)) = bounds(records) else { return Ok(String::new()) };
    let places = places(lines, begin, end);
    let rows = places.values().map(|place| place.row + 1).max().unwrap_or(1);
    let seconds = |at: u64| at.saturating_sub(begin) as f64 / 1000.0;
    let mut svg = String::new();
    {
        let height = AROUND + ROW * u32::try_from(rows).unwrap_or(1);
        let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        area.fill(&WHITE)?;
        // Row 0 on top, the faults above it.
        let top = 1.4;
        let mut chart = ChartBuilder::on(&area)
            .margin(MARGIN)
            .x_label_area_size(AXIS)
            .y_label_area_size(70)
            .build_cartesian_2d(0.0..seconds(end), -(rows as f64)..top)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .disable_y_axis()
            .x_desc("seconds")
            .light_line_style(RGBColor(245, 245, 245))
            .bold_line_style(RGBColor(225, 225, 225))
            .draw()?;
        let band = |row: usize, from: f64, to: f64| [(from, -(row as f64) - 0.1), (to, -(row as f64) - 0.9)];
        let lives = places.values().map(|place| {
            Rectangle::new(band(place.row, seconds(place.from), seconds(place.to)), LINE.mix(0.12).filled())
        });
        chart.draw_series(lives)?;
        let width = seconds(end) / COLUMNS as f64;
        let held = columns(holds, &places, begin, end).into_iter().map(|((row, column), share)| {
            let from = column as f64 * width;
            // Even the shortest hold is seen.
            Rectangle::new(band(row, from, from + width), LINE.mix(0.25 + 0.75 * share).filled())
        });
        chart.draw_series(held)?;
        for record in records {
            let Record::Fault { at, until, kind, target, pid, .. } = record else { continue };
            let colour = colour(*kind);
            let (from, to) = (seconds(*at), seconds((*until).max(at + 20)));
            chart.draw_series([Rectangle::new([(from, 0.75), (to, 0.2)], colour.mix(0.6).filled())])?;
            let row = pid.and_then(|pid| places.get(&pid)).map(|place| place.row);
            let row = row.or_else(|| matches!(target, Target::Gateway | Target::Net).then_some(0));
            if let Some(row) = row {
                let middle = -(row as f64);
                chart.draw_series([PathElement::new(
                    vec![(from, middle - 0.02), (from, middle - 0.98)],
                    colour.stroke_width(3),
                )])?;
            }
        }
        // Beside the plot, where the chart itself does not draw: in pixels of the picture.
        let style = ("sans-serif", 12);
        let middle = |y: f64| {
            let inner = f64::from(height - 2 * MARGIN - AXIS);
            (12, (f64::from(MARGIN) + (top - y) / (top + rows as f64) * inner) as i32 - 6)
        };
        area.draw(&Text::new("faults", middle(0.5), style))?;
        for row in 0..rows {
            let name = if row == 0 { "gateway".to_owned() } else { format!("runner {row}") };
            area.draw(&Text::new(name, middle(-(row as f64) - 0.5), style))?;
        }
        area.present()?;
    }
    Ok(svg)
}

/// The colour of a fault as a style sheet writes it, for the page's legend.
pub(super) fn css(kind: FaultKind) -> String {
    let RGBColor(red, green, blue) = colour(kind);
    format!("{red} {green} {blue}")
}

/// The colour of a fault.
fn colour(kind: FaultKind) -> RGBColor {
    match kind {
        FaultKind::Kill => RGBColor(192, 57, 43),
        FaultKind::Stop => RGBColor(230, 126, 34),
        FaultKind::Clock => RGBColor(142, 68, 173),
        FaultKind::Disk => RGBColor(39, 124, 80),
        FaultKind::Net => RGBColor(22, 130, 160),
    }
}

/// From the first record to the last.
fn bounds(records: &[Record]) -> Option<(u64, u64)> {
    let times = records.iter().map(|record| match record {
        Record::Began { at, .. } | Record::Outside { at, .. } | Record::Again { at, .. } => *at,
        Record::Fault { until, .. } => *until,
        Record::Told(told) => told.at + told.ms,
    });
    Some((times.clone().min()?, times.max()?))
}

/// Where each process is drawn: gateways in the first row, one after the other; runners below, each in the first row that
/// is free by then. Processes whose clock is elsewhere are not drawn.
fn places(lines: &[Line], begin: u64, end: u64) -> BTreeMap<u32, Place> {
    let mut gateways: BTreeSet<u32> = BTreeSet::new();
    let mut lives: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
    for line in lines.iter().filter(|line| (begin..=end).contains(&line.at)) {
        let life = lives.entry(line.pid).or_insert((line.at, line.at));
        *life = (life.0.min(line.at), life.1.max(line.at));
        if matches!(line.event, Event::RunAccepted { recovered: true, .. }) {
            gateways.insert(line.pid);
        }
    }
    let mut by_time: Vec<(u32, (u64, u64))> = lives.into_iter().collect();
    by_time.sort_unstable_by_key(|(_, life)| *life);
    let mut free = [0; RUNNERS];
    let mut places = BTreeMap::new();
    for (pid, (from, to)) in by_time {
        let row = if gateways.contains(&pid) {
            0
        } else {
            let row = free.iter().position(|until| *until < from).unwrap_or(RUNNERS - 1);
            free[row] = free[row].max(to);
            row + 1
        };
        places.insert(pid, Place { row, from, to });
    }
    places
}

/// The share of each column in which a lock was held, by row.
fn columns(
    holds: &[Span],
    places: &BTreeMap<u32, Place>,
    begin: u64,
    end: u64,
) -> BTreeMap<(usize, usize), f64> {
    let micros = (end - begin).max(1) as f64 * 1000.0 / COLUMNS as f64;
    let mut shares: BTreeMap<(usize, usize), f64> = BTreeMap::new();
    for span in holds {
        let (Some(held), Some(place)) = (span.held, places.get(&span.pid)) else { continue };
        let Some(at) = span.at.checked_sub(begin) else { continue };
        let to = at as f64 * 1000.0;
        let from = (to - held as f64).max(0.0);
        let (first, last) = ((from / micros) as usize, ((to / micros) as usize).min(COLUMNS - 1));
        for column in first..=last {
            let (left, right) = (column as f64 * micros, (column + 1) as f64 * micros);
            let inside = (to.min(right) - from.max(left)).max(0.0) / micros;
            let share = shares.entry((place.row, column)).or_default();
            *share = (*share + inside).min(1.0);
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(pid: u32, from: u64, to: u64, gateway: bool) -> Vec<Line> {
        let key = "agent:a:s".parse::<crate::session_key::SessionKey>().unwrap();
        let run = |id: &str| Event::RunAccepted {
            run_id: id.into(),
            session_key: key.clone(),
            message_key: id.into(),
            recovered: gateway,
        };
        vec![Line { at: from, pid, event: run("r") }, Line { at: to, pid, event: run("s") }]
    }

    #[test]
    fn gateways_share_a_row_and_runners_take_the_first_free_one() {
        let lines = [
            life(1, 10, 50, true),
            life(2, 60, 90, true),
            life(3, 10, 30, false),
            life(4, 20, 40, false),
            life(5, 35, 60, false),
            life(6, 999_999, 999_999, false),
        ];
        let places = places(&lines.concat(), 0, 100);
        let rows: Vec<_> = places.iter().map(|(pid, place)| (*pid, place.row)).collect();
        assert_eq!(rows, [(1, 0), (2, 0), (3, 1), (4, 2), (5, 1)]);
    }

    #[test]
    fn a_hold_darkens_the_columns_it_covers_and_their_number_is_bounded() {
        let places = places(&life(1, 0, 1_000, true), 0, 1_000);
        let hold = |at, held| Span { at, pid: 1, waited: None, held: Some(held) };
        // Columns of two milliseconds: one is covered whole, the ones beside it by half.
        let shares = columns(&[hold(13, 4_000)], &places, 0, 1_000);
        let shares: Vec<_> = shares.into_iter().collect();
        assert_eq!(shares, [((0, 4), 0.5), ((0, 5), 1.0), ((0, 6), 0.5)]);
        let many: Vec<Span> = (0..100_000).map(|at| hold(at / 100, 300)).collect();
        assert!(columns(&many, &places, 0, 1_000).len() <= COLUMNS);
    }
}
