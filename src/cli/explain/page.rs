//! The page: HTML that needs nothing but itself.

use std::fmt::Write;
use std::ops::Range;

use statesmix::Level;

use super::super::report::size;
use super::cost::{Costs, PARTS, by_frequency};
use super::repeats::{self, DISTANCES, SHORTEST, by_distance, parts};
use super::svg::{self, Curve};

/// Points of the curves.
const POINTS: usize = 240;
/// Rows of the table of regions.
const REGIONS: usize = 16;
/// Bytes of a place in the table of the dearest ones, and rows of it.
const PLACE: usize = 64;
const PLACES: usize = 12;

const COLORS: [&str; PARTS.len()] = ["#0f766e", "#1d4ed8", "#c2410c", "#7e22ce"];

const STYLE: &str = "\
body{font:15px/1.45 system-ui,sans-serif;color:#1e293b;background:#fff;max-width:1040px;\
margin:2em auto;padding:0 1em}\
h1{font-size:1.5em}h2{font-size:1.15em;margin:2em 0 .3em}\
p{max-width:46em;margin:.4em 0}\
table{border-collapse:collapse;margin:.6em 0}\
td,th{padding:.15em .7em;text-align:right;border-bottom:1px solid #e2e8f0}\
th{font-weight:600}td.l,th.l{text-align:left}\
tr.main td{font-weight:600}\
svg{display:block;margin:.6em 0}\
svg text{font:12px system-ui,sans-serif;fill:#475569}\
svg text[fill]{fill:revert-layer}\
.grid{stroke:#e2e8f0}\
.bar{display:inline-block;height:.8em;background:#0f766e}\
pre{margin:.2em 0;font:13px/1.5 ui-monospace,monospace}\
pre span{padding:0 .12em}";

/// The whole page. `main` is the one of the costs that the details are about.
pub(super) fn write(name: &str, content: &[u8], costs: &[Costs], main: usize) -> String {
    let page = Page { content, costs, main: &costs[main] };
    let name = html(name);
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <title>{name}: where the bits go</title>\n<style>{STYLE}</style>\n\
         <h1>{name}: where the bits go</h1>\n"
    );
    if content.is_empty() {
        return out + "<p>There is nothing in it.</p>\n</html>\n";
    }
    page.levels(&mut out);
    page.curves(&mut out);
    page.carriers(&mut out);
    page.regions(&mut out);
    page.shares(&mut out);
    page.places(&mut out);
    page.beginning(&mut out);
    page.repeats(&mut out);
    page.records(&mut out);
    out + "</html>\n"
}

struct Page<'a> {
    content: &'a [u8],
    costs: &'a [Costs],
    main: &'a Costs,
}

impl Page<'_> {
    fn levels(&self, out: &mut String) {
        let len = self.content.len() as f64;
        let _ = write!(
            out,
            "<p>{} bytes, at several levels. For comparison, what it takes to count how often each \
             byte comes, and how often it comes after which: what a level saves beyond that, it \
             saves with longer contexts, repeats, numbers expected from earlier records (levels 1 \
             and up) and the state space model (3 and up).</p>\n\
             <table><tr><th class=\"l\">model</th><th>memory</th><th>bytes</th><th>ratio</th>\
             <th>bits a byte</th><th>of the line before</th></tr>\n",
            grouped(self.content.len())
        );
        let counted = ["bytes counted", "pairs counted"].into_iter().enumerate();
        let counted =
            counted.map(|(i, name)| (name.into(), None, by_frequency(self.content, i) / 8.0));
        let levels = self
            .costs
            .iter()
            .map(|costs| (format!("level {}", costs.level), Some(costs.level), costs.total()));
        let mut before = None;
        for (name, level, bytes) in counted.chain(levels) {
            let class = if level == Some(self.main.level) { "main" } else { "" };
            let memory = level.map_or("-".into(), |level: Level| size(level.memory() as u64));
            let of_before =
                before.map_or("-".into(), |before| format!("{:.1} %", bytes * 100.0 / before));
            before = Some(bytes);
            let _ = writeln!(
                out,
                "<tr class=\"{class}\"><td class=\"l\">{name}</td><td>{memory}</td><td>{}</td>\
                 <td>{:.2}</td><td>{:.3}</td><td>{of_before}</td></tr>",
                grouped(bytes.ceil() as usize),
                len / bytes,
                bytes * 8.0 / len,
            );
        }
        *out += "</table>\n";
    }

    fn curves(&self, out: &mut String) {
        let steps = parts(self.content.len(), POINTS);
        let curves: Vec<_> = self
            .costs
            .iter()
            .zip(COLORS)
            .map(|(costs, color)| Curve {
                name: format!("level {}", costs.level),
                color,
                values: steps.iter().map(|step| costs.mean(step.clone())).collect(),
            })
            .collect();
        let _ = write!(
            out,
            "<h2>From begin to end</h2>\n<p>Bits a byte, means of {} bytes each. Where the lines \
             part, a higher level pays; where all are high, only other data would help.</p>\n{}",
            grouped(steps[0].len().max(1)),
            svg::curves(&curves, self.content.len(), 300.0),
        );
    }

    fn carriers(&self, out: &mut String) {
        let steps = parts(self.content.len(), POINTS);
        let shares: Vec<_> = steps.into_iter().map(|step| self.main.shares(step)).collect();
        let curves: Vec<_> = PARTS
            .iter()
            .zip(COLORS)
            .enumerate()
            .map(|(part, (name, color))| Curve {
                name: (*name).into(),
                color,
                values: shares.iter().map(|shares| shares[part]).collect(),
            })
            .collect();
        let whole = self.main.shares(0..self.content.len());
        let whole: Vec<_> =
            PARTS.iter().zip(whole).map(|(part, share)| format!("{part} {share:.0} %")).collect();
        let _ = write!(
            out,
            "<h2>What carries it</h2>\n<p>At level {}: of all that is said of the first bit of each \
             byte, the share of each part of the model, in percent: what its inputs, with their \
             weights, add to the prediction. Over the whole: {}. Where repeats carry it, a higher \
             level with more history may find more of them; where the n-grams do, one with larger \
             tables.</p>\n{}",
            self.main.level,
            whole.join(", "),
            svg::curves(&curves, self.content.len(), 220.0),
        );
    }

    fn regions(&self, out: &mut String) {
        let _ = write!(
            out,
            "<h2>Regions</h2>\n<table><tr><th class=\"l\">from</th><th class=\"l\">it is</th>{}\
             <th class=\"l\">share of all bits</th></tr>\n",
            self.heads("ratio at level")
        );
        let all = self.main.total() * 8.0;
        for region in parts(self.content.len(), REGIONS) {
            let _ = write!(
                out,
                "<tr><td class=\"l\">{}</td><td class=\"l\">{}</td>",
                bytes(region.start),
                kind(&self.content[region.clone()]),
            );
            for costs in self.costs {
                let ratio = 8.0 / costs.mean(region.clone()).max(1e-6);
                let _ = write!(out, "<td>{ratio:.2}</td>");
            }
            let share = self.main.bits(region) / all * 100.0;
            let _ = writeln!(out, "<td class=\"l\">{}</td></tr>", bar(share));
        }
        *out += "</table>\n";
    }

    fn shares(&self, out: &mut String) {
        const BELOW: [f64; 7] = [0.02, 0.1, 0.5, 1.0, 2.0, 4.0, 8.0];
        let mut counts = [(0usize, 0.0); BELOW.len() + 1];
        for i in 0..self.content.len() {
            let bits = self.main.bits(i..i + 1);
            let class = BELOW.iter().position(|&below| bits < below).unwrap_or(BELOW.len());
            counts[class].0 += 1;
            counts[class].1 += bits;
        }
        let _ = write!(
            out,
            "<h2>Cheap bytes and dear ones</h2>\n<p>At level {}: how many bytes cost how much.</p>\n\
             <table><tr><th class=\"l\">bits</th><th class=\"l\">share of bytes</th>\
             <th class=\"l\">share of all bits</th></tr>\n",
            self.main.level
        );
        let all = self.main.total() * 8.0;
        for (class, (count, bits)) in counts.into_iter().enumerate() {
            let label = match BELOW.get(class) {
                Some(below) => format!("below {below}"),
                None => "8 and more".into(),
            };
            let _ = writeln!(
                out,
                "<tr><td class=\"l\">{label}</td><td class=\"l\">{}</td><td class=\"l\">{}</td></tr>",
                bar(count as f64 * 100.0 / self.content.len() as f64),
                bar(bits * 100.0 / all),
            );
        }
        *out += "</table>\n";
    }

    fn places(&self, out: &mut String) {
        let mut places = parts(self.content.len(), self.content.len().div_ceil(PLACE));
        places.sort_by(|a, b| self.main.mean(b.clone()).total_cmp(&self.main.mean(a.clone())));
        // One of each neighbourhood: the next one tells something new.
        let apart = self.content.len() / 100;
        let mut shown: Vec<Range<usize>> = Vec::new();
        for place in places {
            if shown.iter().all(|other| other.start.abs_diff(place.start) > apart) {
                shown.push(place);
            }
            if shown.len() == PLACES {
                break;
            }
        }
        let _ = write!(
            out,
            "<h2>The dearest places</h2>\n<p>At level {}, {PLACE} bytes each, of each \
             neighbourhood the worst; the darker a byte, the more it costs.</p>\n\
             <table><tr><th class=\"l\">at</th><th>bits a byte</th><th class=\"l\">bytes</th></tr>\n",
            self.main.level
        );
        for place in shown {
            let _ = write!(
                out,
                "<tr><td class=\"l\">{}</td><td>{:.2}</td><td class=\"l\"><pre>",
                grouped(place.start),
                self.main.mean(place.clone()),
            );
            for line in parts(place.len(), place.len().div_ceil(32)) {
                let line = place.start + line.start..place.start + line.end;
                self.preview(out, line);
            }
            *out += "</pre></td></tr>\n";
        }
        *out += "</table>\n";
    }

    /// A line of bytes, as text if they are text, coloured by their cost.
    fn preview(&self, out: &mut String, line: Range<usize>) {
        let is_text = self.content[line.clone()].iter().all(|&byte| is_text(byte));
        for i in line {
            let byte = self.content[i];
            let shown = match byte {
                b'\n' if is_text => "\u{21b5}".into(),
                b' ' if is_text => "\u{b7}".into(),
                _ if is_text => html(&char::from(byte).to_string()),
                _ => format!("{byte:02x}"),
            };
            let strength = (self.main.bits(i..i + 1) / 12.0).clamp(0.0, 1.0) * 0.75;
            let _ = write!(
                out,
                "<span style=\"background:rgba(194,65,12,{strength:.2})\">{shown}</span>"
            );
        }
        out.push('\n');
    }

    fn beginning(&self, out: &mut String) {
        let _ = write!(
            out,
            "<h2>The beginning</h2>\n<p>Bytes of code for the first bytes of content, and their \
             ratio. As long as the ratio still grows, the model is learning: there a dictionary of \
             samples, or fewer and longer files, would help.</p>\n\
             <table><tr><th>first</th>{}</tr>\n",
            self.heads("level")
        );
        let lengths = (8..).step_by(2).map(|log2| 1usize << log2);
        let len = self.content.len();
        for first in lengths.take_while(|&first| first < len).chain([len]) {
            let _ = write!(out, "<tr><td>{}</td>", bytes(first));
            for costs in self.costs {
                let code = (costs.bits(0..first) / 8.0).max(1e-6);
                let _ = write!(
                    out,
                    "<td>{} ({:.2})</td>",
                    grouped(code.ceil() as usize),
                    first as f64 / code
                );
            }
            *out += "</tr>\n";
        }
        *out += "</table>\n";
    }

    fn repeats(&self, out: &mut String) {
        let _ = write!(
            out,
            "<h2>Repeats</h2>\n<p>Bytes that go on something of at least {SHORTEST} bytes that was \
             there before, by the distance to it. What comes again from far away needs a level \
             with memory for it.</p>\n\
             <table><tr><th class=\"l\">distance</th><th class=\"l\">share of bytes</th></tr>\n",
        );
        for (class, count) in by_distance(self.content).into_iter().enumerate() {
            let label = match DISTANCES.get(class) {
                Some(&distance) => format!("below {}", bytes(distance)),
                None => "more".into(),
            };
            let _ = writeln!(
                out,
                "<tr><td class=\"l\">{label}</td><td class=\"l\">{}</td></tr>",
                bar(count as f64 * 100.0 / self.content.len() as f64),
            );
        }
        *out += "</table>\n";
    }

    fn records(&self, out: &mut String) {
        let same = repeats::same(self.content);
        let period = repeats::period(&same);
        let _ = write!(
            out,
            "<h2>Records</h2>\n<p>The share of bytes that are what they were so many bytes before. \
             Records of one length show as a comb.</p>\n{}",
            svg::bars(&same, period, 200.0),
        );
        let Some(period) = period else {
            *out += "<p>It does not look like records of one length.</p>\n";
            return;
        };
        if !repeats::in_columns(self.content, period) {
            let _ = writeln!(
                out,
                "<p>There are records of {period} bytes in it, but others between them, so they \
                 have no columns counted from the begin of the file. Records of all one length \
                 would be better predicted.</p>"
            );
            return;
        }
        let _ = write!(
            out,
            "<p>It looks like records of {period} bytes. What their columns cost at level {}, \
             counted from the begin of the file: dear columns are where fewer digits, another \
             order or differences would save most.</p>\n\
             <table><tr><th>column</th><th>bits</th><th class=\"l\">share of all bits</th>\
             <th>different values</th><th class=\"l\">first ones</th></tr>\n",
            self.main.level
        );
        let all = self.main.total() * 8.0;
        for column in 0..period.min(self.content.len()) {
            let places = || (column..self.content.len()).step_by(period);
            let bits: f64 = places().map(|i| self.main.bits(i..i + 1)).sum();
            let mut seen = [false; 256];
            places().for_each(|i| seen[usize::from(self.content[i])] = true);
            let first: Vec<_> =
                places().take(8).map(|i| format!("{:02x}", self.content[i])).collect();
            let _ = writeln!(
                out,
                "<tr><td>{column}</td><td>{:.2}</td><td class=\"l\">{}</td><td>{}</td>\
                 <td class=\"l\"><pre>{}</pre></td></tr>",
                bits / places().count() as f64,
                bar(bits * 100.0 / all),
                seen.iter().filter(|&&seen| seen).count(),
                first.join(" "),
            );
        }
        *out += "</table>\n";
    }

    /// A heading for each level.
    fn heads(&self, what: &str) -> String {
        self.costs.iter().map(|costs| format!("<th>{what} {}</th>", costs.level)).collect()
    }
}

/// What some bytes look like.
fn kind(content: &[u8]) -> &'static str {
    let share = |is: &dyn Fn(u8) -> bool| {
        content.iter().filter(|&&byte| is(byte)).count() as f64 / content.len().max(1) as f64
    };
    if share(&is_text) > 0.97 {
        "text"
    } else if share(&|byte| is_text(byte) || byte >= 128) > 0.99 {
        "text, not ASCII alone"
    } else if share(&|byte| byte == 0) > 0.9 {
        "zeros"
    } else {
        "binary"
    }
}

fn is_text(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\r')
}

/// A bar for a share in percent, and the number.
fn bar(percent: f64) -> String {
    format!("<span class=\"bar\" style=\"width:{:.0}px\"></span> {percent:.1} %", percent * 3.0)
}

/// A number of bytes, short.
pub(super) fn bytes(count: usize) -> String {
    size(count as u64)
}

/// 1234567 as 1,234,567.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_anything() {
        for content in [&b""[..], b"x", b"<&>", &[0; 3000], &b"a,b,c\n".repeat(300)] {
            let levels = [0, 1].map(|number| Level::new(number).unwrap());
            let costs = levels.map(|level| Costs::of(content, level, |_| ()).unwrap());
            let page = write("a<b", content, &costs, 1);
            assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"));
            assert!(page.contains("a&lt;b") && !page.contains("a<b"));
            assert!(!page.contains("NaN") && !page.contains("inf "), "{page}");
            assert!(!page.contains("http"), "nothing from elsewhere");
        }
    }

    #[test]
    fn numbers() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }
}
