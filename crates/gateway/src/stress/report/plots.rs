//! The distribution of waits as a curve: which part of the callers had their reply within which time.

use std::ops::Range;

use plotters::prelude::{
    BindKeyPoints, ChartBuilder, IntoDrawingArea, IntoLogRange, LineSeries, PathElement, RGBColor,
    SVGBackend, Text, WHITE,
};
use plotters::style::{
    IntoTextStyle,
    text_anchor::{HPos, Pos, VPos},
};

use crate::holds::percentile;

pub(super) const LINE: RGBColor = RGBColor(31, 95, 139);
const FAINT: RGBColor = RGBColor(120, 132, 145);
const SIZE: (u32, u32) = (1000, 300);
/// Points of the curve; more cannot be told apart at its width.
const POINTS: usize = 400;
/// Labels that stand beside each other at its width.
const MOST_TICKS: usize = 14;

/// Draws waits in milliseconds, sorted, shortest first. Empty when nobody waited.
pub(super) fn distribution(sorted: &[u64]) -> anyhow::Result<String> {
    let mut svg = String::new();
    let (Some(first), Some(last)) = (sorted.first(), sorted.last()) else { return Ok(svg) };
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let range = ((*first).max(1) as f64 * 0.9)..((*last).max(2) as f64 * 1.1);
        let mut chart = ChartBuilder::on(&area)
            .margin(10)
            .x_label_area_size(40)
            .y_label_area_size(50)
            .build_cartesian_2d(range.clone().log_scale().with_key_points(ticks(&range)), 0.0..100.0)?;
        chart
            .configure_mesh()
            .x_desc("milliseconds from the first try to the reply")
            .y_desc("% of callers")
            .x_labels(MOST_TICKS)
            .x_label_formatter(&|ms| format!("{ms:.0}"))
            .y_label_formatter(&|share| format!("{share:.0}"))
            .light_line_style(RGBColor(240, 240, 240))
            .bold_line_style(RGBColor(220, 220, 220))
            .draw()?;
        chart.draw_series(LineSeries::new(
            curve(sorted),
            plotters::style::ShapeStyle::from(LINE).stroke_width(2),
        ))?;
        for (percent, height) in [(50, 6.0), (99, 14.0)] {
            let wait = percentile(sorted, percent);
            let at = wait.max(1) as f64;
            chart.draw_series([PathElement::new(vec![(at, 0.0), (at, 100.0)], FAINT)])?;
            // To the left of its line, where the picture never ends.
            let style = ("sans-serif", 12).into_text_style(&area).pos(Pos::new(HPos::Right, VPos::Center));
            let label = format!("{percent} % within {wait} ms");
            chart.draw_series([Text::new(label, (at * 0.98, height), style)])?;
        }
        area.present()?;
    }
    Ok(svg)
}

/// Where the logarithmic axis has its labels: powers of ten with steps between them, as fine as fits. The library labels
/// powers of ten alone, of which a narrow range has one or none.
fn ticks(range: &Range<f64>) -> Vec<f64> {
    let steps = |of_decade: &[f64]| -> Vec<f64> {
        let decades = (range.start.log10().floor() as i32)..=(range.end.log10().ceil() as i32);
        let all = decades.flat_map(|decade| of_decade.iter().map(move |step| step * 10f64.powi(decade)));
        // Waits are whole milliseconds.
        all.filter(|tick| *tick >= 1.0 && range.contains(tick)).collect()
    };
    let fine = [&[1.0][..], &[1.0, 2.0, 5.0], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]];
    let fitting = fine.into_iter().map(steps).find(|ticks| (4..=MOST_TICKS).contains(&ticks.len()));
    fitting.unwrap_or_else(|| {
        let step = ((range.end - range.start) / 6.0).ceil();
        let first = range.start.ceil();
        (0..7).map(|number| first + step * f64::from(number)).filter(|tick| range.contains(tick)).collect()
    })
}

/// Points of the curve, at evenly spaced shares.
fn curve(sorted: &[u64]) -> Vec<(f64, f64)> {
    let steps = sorted.len().min(POINTS);
    let point = |step: usize| {
        let rank = (sorted.len() * step).div_ceil(steps).max(1);
        let wait = sorted.get(rank - 1).copied().unwrap_or_default();
        (wait.max(1) as f64, rank as f64 * 100.0 / sorted.len() as f64)
    };
    (1..=steps).map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_range_has_labels_and_none_has_too_many() {
        for (range, expected) in [
            (0.9..1100.0, vec![1.0, 10.0, 100.0, 1000.0]),
            (2.7..990.0, vec![5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0]),
            (4.5..9.9, vec![5.0, 6.0, 7.0, 8.0, 9.0]),
            (100.0..110.0, vec![100.0, 102.0, 104.0, 106.0, 108.0]),
            (0.9..2.2, vec![1.0, 2.0]),
        ] {
            assert_eq!(ticks(&range), expected);
        }
        for end in 0..400 {
            let ticks = ticks(&(0.9..(2.2 * 1.05f64.powi(end))));
            assert!((2..=MOST_TICKS).contains(&ticks.len()) && ticks.is_sorted(), "{ticks:?}");
        }
    }

    #[test]
    fn the_curve_is_bounded_rises_and_ends_with_everybody() {
        let many: Vec<u64> = (0..100_000).collect();
        for waits in [&many[..], &[3], &[0, 0, 9]] {
            let curve = curve(waits);
            assert!(curve.len() <= POINTS && curve.is_sorted_by(|a, b| a.0 <= b.0 && a.1 < b.1));
            assert_eq!(curve.last().map(|point| point.1), Some(100.0));
        }
        assert_eq!(distribution(&[]).unwrap(), "");
        let labelled = distribution(&[3, 40, 900]).unwrap();
        for label in ["5", "10", "20", "50", "100", "200", "500"] {
            assert!(labelled.contains(&format!(">\n{label}\n<")), "{label}: {labelled}");
        }
        assert!(distribution(&[5, 7, 9]).unwrap().starts_with("<svg"));
    }
}
