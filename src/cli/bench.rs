//! The benchmark: levels over a file, in memory, a line each.

use std::ffi::OsStr;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use statesmix::Level;

use super::args::Args;
use super::codec::{Fault, Setting};
use super::job::{compress, decompress};
use super::report::{Meter, Trouble, bold, printable, size};

/// Repeated until it has taken so long, for short ones are hard to time.
const LONG: Duration = Duration::from_secs(1);

/// Prints a line for each level that the arguments ask for.
pub(crate) fn run(
    args: &Args,
    setting: Setting,
    content: &[u8],
    name: &OsStr,
    first: bool,
) -> Result<(), Fault> {
    if first {
        let head = line(
            ["Level", "Memory", "Uncompressed", "Compressed", "Ratio"],
            ["Compress", "Decompress"],
            "File",
        );
        print(&format!("{}\n", bold(head.trim_end(), io::stdout().is_terminal())))?;
    }
    let from = setting.level;
    let last = args.bench_to.unwrap_or(from);
    for level in (from.number()..=last.number()).filter_map(Level::new) {
        let setting = Setting { level, ..setting };
        // Nothing is shown meanwhile: the line is the progress.
        let meter = || Meter::new(name, None, true);
        let total = Some(content.len() as u64);
        let (code, compressing) = fastest(|| {
            let mut code = Vec::new();
            compress(&mut &content[..], &mut code, args, setting, total, &mut meter())?;
            Ok(code)
        })?;
        let (back, decompressing) = fastest(|| {
            let mut back = Vec::new();
            decompress(&mut &code[..], &mut back, args, setting, &mut meter(), &mut |_| Ok(()))?;
            Ok(back)
        })?;
        if back != content {
            return Err(Fault::Told(Trouble::error(format!(
                "comes back changed at level {level}"
            ))));
        }
        let ratio = code.len() as f64 / content.len().max(1) as f64;
        let speed = |seconds: f64| format!("{:.0} KB/s", content.len() as f64 / seconds / 1e3);
        let text = line(
            [
                &level.to_string(),
                &size(level.memory() as u64),
                &content.len().to_string(),
                &code.len().to_string(),
                &format!("{ratio:.4}"),
            ],
            [&speed(compressing), &speed(decompressing)],
            &printable(name),
        );
        print(&format!("{text}\n"))?;
    }
    Ok(())
}

fn line(columns: [&str; 5], speeds: [&str; 2], name: &str) -> String {
    let [level, memory, content, code, ratio] = columns;
    let [compress, decompress] = speeds;
    format!(
        "{level:>5} {memory:>7} {content:>14} {code:>14} {ratio:>6} {compress:>11} \
         {decompress:>11} {name}"
    )
}

fn print(text: &str) -> Result<(), Fault> {
    io::stdout().lock().write_all(text.as_bytes()).map_err(Fault::Write)
}

/// Does it again and again for a while; returns its last result and the seconds
/// of its fastest run.
fn fastest<T>(mut run: impl FnMut() -> Result<T, Fault>) -> Result<(T, f64), Fault> {
    let begin = Instant::now();
    let mut best = f64::INFINITY;
    loop {
        let start = Instant::now();
        let result = run()?;
        best = best.min(start.elapsed().as_secs_f64());
        if begin.elapsed() >= LONG {
            return Ok((result, best.max(1e-9)));
        }
    }
}
