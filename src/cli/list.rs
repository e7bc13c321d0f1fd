//! What -l prints: a table, or JSON.

use std::ffi::OsStr;
use std::fmt;
use std::io::{self, IsTerminal, Write};

use statesmix::{Filter, Header, Level};

use super::args::{NUMBERED, UNPACKED};
use super::codec::Frame;
use super::report::{Trouble, bold, printable, size};

/// The dictionary that frames need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    None,
    Id(u32),
    /// The text that a model is pretrained with.
    BuiltIn,
    /// Not all the same.
    Several,
}

impl fmt::Display for Needs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.pad("no"),
            Self::Id(id) => f.pad(&format!("{id:08x}")),
            Self::BuiltIn => f.pad("built-in"),
            Self::Several => f.pad("some"),
        }
    }
}

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
    dictionary: Option<Needs>,
}

impl Sum {
    pub(crate) fn add(&mut self, frame: &Frame) {
        *self += Self {
            frames: 1,
            level: Some(frame.header.level),
            compressed: frame.compressed,
            content: frame.content,
            with_checksum: frame.header.checksum.into(),
            filter: Some(frame.header.filter.map_or("no", |id| match Filter::from_id(id) {
                Some(filter) => filter.name(),
                None if id == Header::UNPACKED => UNPACKED,
                None if id == Header::NUMBERED => NUMBERED,
                None => "unknown",
            })),
            dictionary: Some(match frame.header.dictionary {
                Some(id) => Needs::Id(id),
                None if frame.header.pretrained => Needs::BuiltIn,
                None => Needs::None,
            }),
        };
    }

    fn row(&self) -> Row {
        Row {
            frames: Some(self.frames),
            level: self.level,
            compressed: Some(self.compressed),
            content: Some(self.content),
            check: Some(match self.with_checksum {
                0 => "no",
                n if n == self.frames => "yes",
                _ => "some",
            }),
            filter: self.filter,
            dictionary: self.dictionary,
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
        self.dictionary = match (self.dictionary, other.dictionary) {
            (Some(a), Some(b)) if a != b => Some(Needs::Several),
            (a, b) => a.or(b),
        };
    }
}

/// What is known of a file or a frame.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    frames: Option<u64>,
    level: Option<Level>,
    compressed: Option<u64>,
    content: Option<u64>,
    check: Option<&'static str>,
    filter: Option<&'static str>,
    dictionary: Option<Needs>,
}

impl Row {
    fn ratio(&self) -> Option<String> {
        let (compressed, content) = self.compressed.zip(self.content)?;
        (content > 0).then(|| format!("{:.3}", compressed as f64 / content as f64))
    }

    /// The members of a JSON object, all but the name of the file.
    fn json(&self) -> String {
        let number = |value: Option<u64>| value.map_or("null".into(), |n| n.to_string());
        let word = |word: Option<&str>| word.map_or("null".into(), |word| format!("\"{word}\""));
        format!(
            "\"frames\": {}, \"level\": {}, \"memory\": {}, \"compressed\": {}, \
             \"uncompressed\": {}, \"ratio\": {}, \"check\": {}, \
             \"filter\": {}, \"dictionary\": {}",
            number(self.frames),
            number(self.level.map(|level| level.number().into())),
            number(self.level.map(|level| level.memory() as u64)),
            number(self.compressed),
            number(self.content),
            self.ratio().unwrap_or("null".into()),
            word(self.check),
            word(self.filter),
            word(self.dictionary.map(|needs| needs.to_string()).as_deref()),
        )
    }
}

/// The list, printed as it grows.
#[derive(Debug, Default)]
pub(crate) struct List {
    json: bool,
    begun: bool,
    files: u64,
    total: Sum,
    /// The frames of the file to come, as JSON.
    frames: Vec<String>,
}

impl List {
    pub(crate) fn new(json: bool) -> Self {
        Self { json, ..Self::default() }
    }

    /// A frame that is number `n` of its file.
    pub(crate) fn show_frame(
        &mut self,
        n: u64,
        frame: &Frame,
        name: &OsStr,
    ) -> Result<(), Trouble> {
        let mut sum = Sum::default();
        sum.add(frame);
        if self.json {
            self.frames.push(sum.row().json());
            return Ok(());
        }
        self.line(&format!("#{n}"), &sum.row(), &printable(name))
    }

    pub(crate) fn show_file(&mut self, sum: &Sum, name: &OsStr) -> Result<(), Trouble> {
        self.file(&sum.row(), name)?;
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
        self.file(&Row { level: Some(level), compressed, ..Row::default() }, name)
    }

    /// What comes after the last file: of a table the sum, if there was more
    /// than one.
    pub(crate) fn finish(&mut self) -> Result<(), Trouble> {
        match (self.json, self.begun) {
            (true, true) => print("\n]\n"),
            (true, false) => print("[]\n"),
            (false, _) if self.files < 2 => Ok(()),
            (false, _) => {
                let row = self.total.row();
                self.line(&self.total.frames.to_string(), &row, &format!("{} files", self.files))
            }
        }
    }

    fn file(&mut self, row: &Row, name: &OsStr) -> Result<(), Trouble> {
        if !self.json {
            let frames = row.frames.map_or("-".into(), |frames| frames.to_string());
            return self.line(&frames, row, &printable(name));
        }
        let before = if std::mem::replace(&mut self.begun, true) { ",\n" } else { "[\n" };
        let mut object = format!("{before}{{\"file\": {}, {}", json_text(name), row.json());
        if !self.frames.is_empty() {
            let frames: Vec<_> = self.frames.drain(..).map(|row| format!("  {{{row}}}")).collect();
            object += &format!(", \"frame_list\": [\n{}\n]", frames.join(",\n"));
        }
        print(&(object + "}"))
    }

    fn line(&mut self, first: &str, row: &Row, name: &str) -> Result<(), Trouble> {
        let columns = |columns: [&str; 9]| {
            let [frames, level, memory, compressed, content, ratio, check, filter, needs] = columns;
            format!(
                "{frames:>6} {level:>5} {memory:>7} {compressed:>14} {content:>14} {ratio:>6} \
                 {check:<5} {filter:<7} {needs:<10} "
            )
        };
        if !std::mem::replace(&mut self.begun, true) {
            let heads = ["Frames", "Level", "Memory", "Compressed", "Uncompressed", "Ratio"];
            let [a, b, c, d, e, f] = heads;
            let head = columns([a, b, c, d, e, f, "Check", "Filter", "Dictionary"]) + "File";
            print(&format!("{}\n", bold(&head, io::stdout().is_terminal())))?;
        }
        let number = |value: Option<u64>| value.map_or("-".into(), |n| n.to_string());
        let columns = columns([
            first,
            &number(row.level.map(|level| level.number().into())),
            &row.level.map_or("-".into(), |level| size(level.memory() as u64)),
            &number(row.compressed),
            &number(row.content),
            &row.ratio().unwrap_or("-".into()),
            row.check.unwrap_or("-"),
            row.filter.unwrap_or("-"),
            &row.dictionary.map_or("-".into(), |needs| needs.to_string()),
        ]);
        print(&format!("{columns}{name}\n"))
    }
}

fn print(text: &str) -> Result<(), Trouble> {
    let result = io::stdout().lock().write_all(text.as_bytes());
    result.map_err(|error| Trouble::write("the list", &error))
}

/// A name as a JSON string. What is no Unicode in it is replaced.
fn json_text(name: &OsStr) -> String {
    let mut out = String::from("\"");
    for c in name.to_string_lossy().chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out += &format!("\\u{:04x}", u32::from(c)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_json() {
        assert_eq!(json_text("a b".as_ref()), r#""a b""#);
        assert_eq!(json_text("\"\\\n\u{7f}é".as_ref()), r#""\"\\\u000a\u007fé""#);
    }
}
