//! A page about a file: where its bits go, and why.

mod cost;
mod page;
mod repeats;
mod svg;

use std::ffi::OsStr;
use std::io::{Read, Write};

use statesmix::Level;

use super::codec::{Fault, PIECE};
use super::report::{Meter, Trouble, printable, size};
use cost::Costs;

/// The page takes some times the memory of the content, and hours for more.
const MOST: u64 = 64 << 20;

/// Levels to compare with the one asked for.
const OTHERS: [Level; 2] = [Level::new(1).unwrap(), Level::new(3).unwrap()];

/// Reads all of `input` and writes the page.
pub(crate) fn run(
    input: &mut dyn Read,
    output: &mut dyn Write,
    level: Level,
    name: &OsStr,
    quiet: bool,
) -> Result<(), Fault> {
    let mut content = Vec::new();
    input.take(MOST + 1).read_to_end(&mut content).map_err(Fault::Read)?;
    if content.len() as u64 > MOST {
        return Err(Fault::Told(Trouble::error(format!(
            "has more than {} (explain a part of it: head -c 16M FILE | statesmix --explain)",
            size(MOST)
        ))));
    }
    let mut levels: Vec<_> = OTHERS.into_iter().filter(|&other| other != level).collect();
    levels.push(level);
    levels.sort();
    let total = (content.len() * levels.len()) as u64;
    let mut meter = Meter::new(name, Some(total), quiet);
    let costs = levels.into_iter().map(|level| {
        let before = meter.read;
        Costs::of(&content, level, |done| {
            meter.read = before + done;
            meter.tick(meter.read, meter.read);
        })
    });
    let costs = costs.collect::<Result<Vec<_>, _>>()?;
    drop(meter);
    let main = costs.iter().position(|costs| costs.level == level).unwrap_or(0);
    let page = page::write(&printable(name), &content, &costs, main);
    page.as_bytes()
        .chunks(PIECE)
        .try_for_each(|piece| output.write_all(piece))
        .map_err(Fault::Write)
}
