//! Pictures for the page.

use std::fmt::Write;

const WIDTH: f64 = 1000.0;
/// Room for the numbers at the left, and for those below.
const LEFT: f64 = 44.0;
const BELOW: f64 = 22.0;

/// One line of a chart.
pub(super) struct Curve {
    pub(super) name: String,
    pub(super) color: &'static str,
    pub(super) values: Vec<f64>,
}

/// Lines over equal steps from the begin to the end of `len` bytes.
pub(super) fn curves(curves: &[Curve], len: usize, height: f64) -> String {
    let top = curves.iter().flat_map(|curve| &curve.values).copied().fold(0.0, f64::max);
    let mut frame = Frame::new(top, height);
    let bytes = (0..=8).map(|i| (f64::from(i) / 8.0, super::page::bytes(len * i as usize / 8)));
    frame.label(bytes);
    for (i, Curve { name, color, values }) in curves.iter().enumerate() {
        let mut points = String::new();
        for (i, &value) in values.iter().enumerate() {
            // In the middle of its step.
            let x = frame.x((i as f64 + 0.5) / values.len() as f64);
            let _ = write!(points, "{x:.1},{:.1} ", frame.y(value));
        }
        let x = LEFT + 14.0 + 110.0 * i as f64;
        let _ = writeln!(
            frame.svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"1.5\"/>\
             <text x=\"{x}\" y=\"14\" fill=\"{color}\">{name}</text>",
            points.trim_end(),
        );
    }
    frame.end()
}

/// Thin bars, each of a value, with a label for some of them.
pub(super) fn bars(values: &[f64], marked: Option<usize>, height: f64) -> String {
    let top = values.iter().copied().fold(0.0, f64::max);
    let mut frame = Frame::new(top, height);
    let step = values.len() / 8;
    let labels = (0..8).map(|i| i * step);
    frame.label(labels.map(|i| (i as f64 / values.len() as f64, i.to_string())));
    for (i, &value) in values.iter().enumerate() {
        let (x, y) = (frame.x(i as f64 / values.len() as f64), frame.y(value));
        let is_multiple = marked.is_some_and(|marked| i > 0 && i % marked == 0);
        let color = if is_multiple { "#c2410c" } else { "#94a3b8" };
        let width = (WIDTH - LEFT) / values.len() as f64 * 0.8;
        let _ = writeln!(
            frame.svg,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{:.1}\" \
             fill=\"{color}\"><title>{i}: {value:.3}</title></rect>",
            frame.y(0.0) - y,
        );
    }
    frame.end()
}

/// The frame of a chart, with lines across and numbers beside them.
struct Frame {
    svg: String,
    top: f64,
    height: f64,
}

impl Frame {
    fn new(top: f64, height: f64) -> Self {
        let mut frame = Self { svg: String::new(), top: round_up(top), height };
        let _ = writeln!(
            frame.svg,
            "<svg viewBox=\"0 0 {WIDTH} {height}\" width=\"100%\" role=\"img\">"
        );
        for i in 0..=4 {
            let value = frame.top * f64::from(i) / 4.0;
            let y = frame.y(value);
            let _ = writeln!(
                frame.svg,
                "<line x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{WIDTH}\" y2=\"{y:.1}\" class=\"grid\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 6.0,
                y + 4.0,
                (value * 1000.0).round() / 1000.0,
            );
        }
        frame
    }

    /// Numbers below, each at its place from 0 to 1.
    fn label(&mut self, labels: impl Iterator<Item = (f64, String)>) {
        for (place, label) in labels {
            let anchor = match place {
                0.0 => "start",
                1.0 => "end",
                _ => "middle",
            };
            let (x, y) = (self.x(place), self.height - 6.0);
            let _ = writeln!(
                self.svg,
                "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{label}</text>"
            );
        }
    }

    fn x(&self, place: f64) -> f64 {
        LEFT + (WIDTH - LEFT) * place
    }

    fn y(&self, value: f64) -> f64 {
        // The names of the lines are above.
        const ABOVE: f64 = 20.0;
        let room = self.height - BELOW - ABOVE;
        ABOVE + room * (1.0 - value / self.top)
    }

    fn end(mut self) -> String {
        self.svg += "</svg>\n";
        self.svg
    }
}

/// The next number up that is 1, 2, 4 or 8 times a power of ten.
fn round_up(value: f64) -> f64 {
    let power = 10f64.powf(value.max(1e-6).log10().floor());
    let steps = [1.0, 2.0, 4.0, 8.0, 10.0];
    steps.into_iter().map(|step| step * power).find(|&top| top >= value).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tops() {
        for (value, top) in [(7.9, 8.0), (8.1, 10.0), (0.3, 0.4), (1.0, 1.0), (150.0, 200.0)] {
            assert!((round_up(value) - top).abs() < 1e-9, "{value}");
        }
        assert!(round_up(0.0) > 0.0);
    }
}
