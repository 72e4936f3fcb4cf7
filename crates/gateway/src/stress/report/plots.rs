//! The distribution of waits as a curve: which part of the callers had their reply within which time.

use plotters::prelude::{
    ChartBuilder, IntoDrawingArea, IntoLogRange, LineSeries, RGBColor, SVGBackend, WHITE,
};

pub(super) const LINE: RGBColor = RGBColor(31, 95, 139);
const SIZE: (u32, u32) = (1000, 300);
/// Points of the curve; more cannot be told apart at its width.
const POINTS: usize = 400;

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
            .build_cartesian_2d(range.log_scale(), 0.0..100.0)?;
        chart
            .configure_mesh()
            .x_desc("milliseconds from the first try to the reply")
            .y_desc("% of callers")
            .x_label_formatter(&|ms| format!("{ms:.0}"))
            .y_label_formatter(&|share| format!("{share:.0}"))
            .light_line_style(RGBColor(240, 240, 240))
            .bold_line_style(RGBColor(220, 220, 220))
            .draw()?;
        chart.draw_series(LineSeries::new(
            curve(sorted),
            plotters::style::ShapeStyle::from(LINE).stroke_width(2),
        ))?;
        area.present()?;
    }
    Ok(svg)
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
    fn the_curve_is_bounded_rises_and_ends_with_everybody() {
        let many: Vec<u64> = (0..100_000).collect();
        for waits in [&many[..], &[3], &[0, 0, 9]] {
            let curve = curve(waits);
            assert!(curve.len() <= POINTS && curve.is_sorted_by(|a, b| a.0 <= b.0 && a.1 < b.1));
            assert_eq!(curve.last().map(|point| point.1), Some(100.0));
        }
        assert_eq!(distribution(&[]).unwrap(), "");
        assert!(distribution(&[5, 7, 9]).unwrap().starts_with("<svg"));
    }
}
