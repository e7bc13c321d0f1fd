//! The table that -l prints.

use std::ffi::OsStr;
use std::fmt::Display;
use std::io::{self, Write};

use statesmix::{Filter, Level};

use super::codec::Frame;
use super::report::{Trouble, printable, size};

/// One or several frames summed up.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sum {
    pub(crate) frames: u64,
    /// The highest.
    level: Option<Level>,
    pub(crate) compressed: u64,
    content: u64,
    with_checksum: u64,
    filter: Option<&'static str>,
}

impl Sum {
    pub(crate) fn add(&mut self, frame: &Frame) {
        *self += Self {
            frames: 1,
            level: Some(frame.header.level),
            compressed: frame.compressed,
            content: frame.content,
            with_checksum: frame.header.checksum.into(),
            filter: Some(frame.header.filter.and_then(Filter::from_id).map_or("no", Filter::name)),
        };
    }

    fn check(&self) -> &'static str {
        match self.with_checksum {
            0 => "no",
            n if n == self.frames => "yes",
            _ => "some",
        }
    }
}

impl std::ops::AddAssign for Sum {
    fn add_assign(&mut self, other: Self) {
        self.frames += other.frames;
        self.level = self.level.max(other.level);
        self.compressed += other.compressed;
        self.content += other.content;
        self.with_checksum += other.with_checksum;
        self.filter = match (self.filter, other.filter) {
            (Some(a), Some(b)) if a != b => Some("some"),
            (a, b) => a.or(b),
        };
    }
}

/// The table, printed as it grows.
#[derive(Debug, Default)]
pub(crate) struct List {
    begun: bool,
    files: u64,
    total: Sum,
}

impl List {
    /// A frame that is number `n` of its file.
    pub(crate) fn show_frame(
        &mut self,
        n: u64,
        frame: &Frame,
        name: &OsStr,
    ) -> Result<(), Trouble> {
        let mut sum = Sum::default();
        sum.add(frame);
        self.line(format!("#{n}"), &sum, &printable(name))
    }

    pub(crate) fn show_file(&mut self, sum: &Sum, name: &OsStr) -> Result<(), Trouble> {
        self.line(sum.frames, sum, &printable(name))?;
        self.files += 1;
        self.total += *sum;
        Ok(())
    }

    /// A file with a frame of `level`, of which no more may be decoded.
    pub(crate) fn show_unknown(
        &mut self,
        level: Level,
        compressed: Option<u64>,
        name: &OsStr,
    ) -> Result<(), Trouble> {
        let memory = size(level.memory() as u64);
        let compressed = compressed.map_or("-".into(), |bytes| bytes.to_string());
        self.columns([
            "-",
            &level.to_string(),
            &memory,
            &compressed,
            "-",
            "-",
            "-",
            "-",
            &printable(name),
        ])
    }

    /// The last line, if there was more than one file.
    pub(crate) fn show_total(&mut self) -> Result<(), Trouble> {
        if self.files < 2 {
            return Ok(());
        }
        let sum = self.total;
        self.line(sum.frames, &sum, &format!("{} files", self.files))
    }

    fn line(&mut self, first: impl Display, sum: &Sum, name: &str) -> Result<(), Trouble> {
        let ratio = match sum.content {
            0 => "-".into(),
            content => format!("{:.3}", sum.compressed as f64 / content as f64),
        };
        self.columns([
            &first.to_string(),
            &sum.level.map_or("-".into(), |level| level.to_string()),
            &sum.level.map_or("-".into(), |level| size(level.memory() as u64)),
            &sum.compressed.to_string(),
            &sum.content.to_string(),
            &ratio,
            sum.check(),
            sum.filter.unwrap_or("-"),
            name,
        ])
    }

    fn columns(&mut self, columns: [&str; 9]) -> Result<(), Trouble> {
        let mut out = io::stdout().lock();
        let mut print =
            |[frames, level, memory, compressed, content, ratio, check, filter, name]: [&str;
                 9]| {
                writeln!(
                    out,
                    "{frames:>6} {level:>5} {memory:>7} {compressed:>14} {content:>14} {ratio:>6} \
                 {check:<5} {filter:<6} {name}"
                )
            };
        let head = [
            "Frames",
            "Level",
            "Memory",
            "Compressed",
            "Uncompressed",
            "Ratio",
            "Check",
            "Filter",
            "File",
        ];
        if !std::mem::replace(&mut self.begun, true) {
            print(head).map_err(|error| Trouble::write("the list", &error))?;
        }
        print(columns).map_err(|error| Trouble::write("the list", &error))
    }
}
