//! Ratio, speed and memory over a folder of files:
//!
//! ```text
//! cargo bench --bench corpus -- [LEVELS] [FOLDER] [OPTIONS]
//! cargo bench --bench corpus -- 0-6 ../shared/corpus
//!
//! --only NAME    files whose path contains NAME
//! --quick        no decompression
//! --csv          a line for each file and level
//! --bars FILE    fail where a size is above the bar: lines of
//!                "LEVEL FILE BYTES", where FILE may be TOTAL
//! ```
//!
//! Every file is coded in a process of its own, so that its peak memory can be
//! asked of the system (Linux, VmHWM: the whole process with its code and the
//! compressed file, not just the codec). Speeds are of CPU time where Linux
//! tells it, else of the clock. With a `PEERS.csv` in the folder (columns
//! file, bytes, then a peer each) its sizes stand beside.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use statesmix::io::{Reader, Writer};
use statesmix::{Filter, Level, Options, number_words, unpack};

mod common;
use common::{Clock, Result, parse_level, parse_levels};

/// First argument of the process that codes one file.
const CHILD: &str = "--code-one-file";

const PIECE: usize = 64 << 10;

/// Bytes of unpacked content, and of content that is tried in two ways, as the command
/// has it.
const MOST_UNPACKED: usize = 128 << 20;
const MOST_TO_TRY: usize = 64 << 10;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("corpus: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all bars are kept.
fn run() -> Result<bool> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, level, path, quick] = &args[..]
        && flag == CHILD
    {
        println!("{}", code(parse_level(level)?, Path::new(path), quick == "true")?.line());
        return Ok(true);
    }
    let Some(args) = Args::parse(args)? else {
        return Ok(true);
    };
    let files: Vec<_> =
        files(&args.folder)?.into_iter().filter(|file| file.contains(&args.only)).collect();
    if files.is_empty() {
        return Err(format!("no files in {}", args.folder.display()).into());
    }
    let peers = Peers::read(&args.folder.join("PEERS.csv"))?;
    let bars = args.bars.as_deref().map(Bar::read_all).transpose()?.unwrap_or_default();
    if args.csv {
        println!("level,file,{}", Measured::COLUMNS);
    }
    let mut kept = true;
    for &level in &args.levels {
        let report = Report::new(&args, &peers, &files, level);
        let mut total = Measured::default();
        let mut check = |file: &str, measured: &Measured| {
            for bar in bars.iter().filter(|bar| bar.level == level && bar.file == file) {
                kept &= bar.check(measured.coded);
            }
        };
        for file in &files {
            let measured = code_apart(level, &args.folder.join(file), args.quick)?;
            report.row(file, &measured);
            check(file, &measured);
            total.add(&measured);
        }
        report.row("TOTAL", &total);
        if args.only.is_empty() {
            check("TOTAL", &total);
        }
    }
    Ok(kept)
}

struct Args {
    levels: Vec<Level>,
    folder: PathBuf,
    only: String,
    quick: bool,
    csv: bool,
    bars: Option<PathBuf>,
}

impl Args {
    /// `None` if only help was wanted.
    fn parse(args: Vec<String>) -> Result<Option<Self>> {
        let mut parsed = Self {
            levels: vec![Level::DEFAULT],
            folder: "../shared/corpus".into(),
            only: String::new(),
            quick: false,
            csv: false,
            bars: None,
        };
        let mut plain = 0;
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or(format!("{arg} needs a value"));
            match &arg[..] {
                "--bench" => {} // from cargo
                "--help" => {
                    println!(
                        "[LEVELS] [FOLDER] [--only NAME] [--quick] [--csv] [--bars FILE]; \
                         see benches/corpus.rs"
                    );
                    return Ok(None);
                }
                "--only" => parsed.only = value()?,
                "--quick" => parsed.quick = true,
                "--csv" => parsed.csv = true,
                "--bars" => parsed.bars = Some(value()?.into()),
                _ if arg.starts_with('-') => return Err(format!("unknown option {arg}").into()),
                _ => {
                    match plain {
                        0 => parsed.levels = parse_levels(&arg)?,
                        1 => parsed.folder = arg.into(),
                        _ => return Err(format!("too many arguments: {arg}").into()),
                    }
                    plain += 1;
                }
            }
        }
        Ok(Some(parsed))
    }
}

/// The files in `folder` by their paths in it, but for what describes them.
fn files(folder: &Path) -> Result<Vec<String>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(here) = folders.pop() {
        for entry in fs::read_dir(&here).map_err(|e| format!("{}: {e}", here.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path.strip_prefix(folder)?.to_string_lossy().into_owned());
            }
        }
    }
    files.retain(|file| file != "PEERS.csv" && file != "README.md");
    files.sort();
    Ok(files)
}

/// What was measured of one file, or of all.
#[derive(Default)]
struct Measured {
    bytes: u64,
    coded: u64,
    /// Nanoseconds.
    compress: u64,
    /// Nanoseconds; 0 if not done.
    decompress: u64,
    /// Peak of the process in KiB; 0 if the system does not tell.
    peak: u64,
}

impl Measured {
    const COLUMNS: &str = "bytes,coded,compress_ns,decompress_ns,peak_kib";

    fn line(&self) -> String {
        let Self { bytes, coded, compress, decompress, peak } = self;
        format!("{bytes},{coded},{compress},{decompress},{peak}")
    }

    fn parse(line: &str) -> Result<Self> {
        let numbers: Vec<u64> =
            line.trim().split(',').map(str::parse).collect::<std::result::Result<_, _>>()?;
        let [bytes, coded, compress, decompress, peak] = numbers[..] else {
            return Err("not a line of measurements".into());
        };
        Ok(Self { bytes, coded, compress, decompress, peak })
    }

    fn add(&mut self, other: &Self) {
        self.bytes += other.bytes;
        self.coded += other.coded;
        self.compress += other.compress;
        self.decompress += other.decompress;
        self.peak = self.peak.max(other.peak);
    }

    /// KB/s, 10^3 bytes.
    fn speed(&self, nanoseconds: u64) -> String {
        if nanoseconds == 0 {
            return "-".into();
        }
        format!("{:.0}", self.bytes as f64 * 1e6 / nanoseconds as f64)
    }
}

fn code_apart(level: Level, path: &Path, quick: bool) -> Result<Measured> {
    let output = Command::new(std::env::current_exe()?)
        .args([CHILD, &level.to_string()])
        .arg(path)
        .arg(quick.to_string())
        .output()?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("{}, level {level}: {error}", path.display()).into());
    }
    Measured::parse(&String::from_utf8(output.stdout)?)
}

/// Compresses a file, decompresses and compares, without keeping its content.
fn code(level: Level, path: &Path, quick: bool) -> Result<Measured> {
    let mut content = vec![0; PIECE];
    let bytes = fs::metadata(path)?.len();
    let start = Clock::now();
    let mut best: Option<Vec<u8>> = None;
    for (rewritten, options) in ways(level, path)? {
        let mut writer = Writer::new(Vec::new(), options.content_size(bytes))?;
        match rewritten {
            Some(rewritten) => writer.write_all(&rewritten)?,
            None => _ = io::copy(&mut File::open(path)?, &mut writer)?,
        }
        let frame = writer.finish()?;
        if best.as_ref().is_none_or(|best| frame.len() < best.len()) {
            best = Some(frame);
        }
    }
    let frame = best.unwrap_or_default();
    let compress = start.elapsed();
    let mut decompress = 0;
    if !quick {
        let mut file = File::open(path)?;
        let mut back = vec![0; PIECE];
        let start = Clock::now();
        let mut reader = Reader::new(&frame[..], level);
        loop {
            let n = reader.read(&mut back)?;
            file.read_exact(&mut content[..n])?;
            if content[..n] != back[..n] {
                return Err("the content came back changed".into());
            }
            if n == 0 {
                break;
            }
        }
        if file.read(&mut content)? != 0 {
            return Err("the content came back short".into());
        }
        decompress = start.elapsed();
    }
    Ok(Measured { bytes, coded: frame.len() as u64, compress, decompress, peak: peak() })
}

/// The ways that the command tries for a file: what is given to the encoder, if not the
/// content, and with which options.
fn ways(level: Level, path: &Path) -> Result<Vec<(Option<Vec<u8>>, Options)>> {
    let mut head = Vec::new();
    File::open(path)?.take(Filter::DETECT as u64).read_to_end(&mut head)?;
    let options = Options::new(level).pretrained_for(&head);
    if let Some(filter) = Filter::detect(&head) {
        return Ok(vec![(None, options.filter(filter))]);
    }
    if level.unpacks()
        && let Some(unpacked) = unpack(&fs::read(path)?, MOST_UNPACKED)
    {
        let options = options.unpacked().pretrained_for(&unpacked);
        return Ok(vec![(Some(unpacked), options)]);
    }
    let short = head.len() <= MOST_TO_TRY;
    if short && level.pretrains() && options != options.pretrained(true) {
        return Ok(vec![(None, options), (None, options.pretrained(true))]);
    }
    let start = &head[..head.len().min(MOST_TO_TRY)];
    let percent = if level.pretrains() { 70 } else { 80 };
    let has_words = number_words(start).len() * 100 < start.len() * percent;
    let mut ways = Vec::new();
    if level.numbers_words() && (short || has_words) {
        ways.push((Some(number_words(&fs::read(path)?)), options.numbered()));
    }
    if short || ways.is_empty() {
        ways.push((None, options));
    }
    Ok(ways)
}

/// Peak of resident memory in KiB, or 0.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

/// The sizes other compressors reached: a header and rows, file first.
#[derive(Default)]
struct Peers {
    names: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Peers {
    fn read(path: &Path) -> Result<Self> {
        let Ok(text) = fs::read_to_string(path) else {
            return Ok(Self::default());
        };
        let mut rows = text.lines().map(|line| line.split(',').map(String::from).collect());
        let names: Vec<String> = rows.next().unwrap_or_default();
        Ok(Self { names: names.into_iter().skip(2).collect(), rows: rows.collect() })
    }

    fn of(&self, file: &str) -> impl Iterator<Item = &str> {
        let row = self.rows.iter().find(|row| row[0] == file);
        let sizes = row.map_or(&[][..], |row| row.get(2..).unwrap_or_default());
        (0..self.names.len()).map(|i| sizes.get(i).map_or("-", |size| size))
    }
}

/// The table of one level.
struct Report<'a> {
    csv: bool,
    /// A part of the files has no total to compare with.
    part: bool,
    peers: &'a Peers,
    level: Level,
    width: usize,
}

impl<'a> Report<'a> {
    fn new(args: &Args, peers: &'a Peers, files: &[String], level: Level) -> Self {
        let width = files.iter().map(String::len).max().unwrap_or(0).max(5);
        if !args.csv {
            let mut head = format!(
                "\nlevel {level}, {} KiB\n{:width$} {:>10} {:>10} {:>6} {:>6} {:>6} {:>8}",
                level.memory() >> 10,
                "file",
                "bytes",
                "coded",
                "ratio",
                "KB/s",
                "back",
                "peak KiB"
            );
            for name in &peers.names {
                let _ = write!(head, " {name:>10}");
            }
            println!("{head}");
        }
        Self { csv: args.csv, part: !args.only.is_empty(), peers, level, width }
    }

    fn row(&self, file: &str, measured: &Measured) {
        if self.csv {
            println!("{},{file},{}", self.level, measured.line());
            return;
        }
        let mut row = format!(
            "{file:width$} {:>10} {:>10} {:>6.3} {:>6} {:>6} {:>8}",
            measured.bytes,
            measured.coded,
            measured.bytes as f64 / measured.coded as f64,
            measured.speed(measured.compress),
            measured.speed(measured.decompress),
            if measured.peak == 0 { "-".into() } else { measured.peak.to_string() },
            width = self.width,
        );
        if !(self.part && file == "TOTAL") {
            for size in self.peers.of(file) {
                let _ = write!(row, " {size:>10}");
            }
        }
        println!("{row}");
    }
}

/// A size that must not be exceeded.
struct Bar {
    level: Level,
    file: String,
    bytes: u64,
}

impl Bar {
    fn read_all(path: &Path) -> Result<Vec<Self>> {
        let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let mut bars = Vec::new();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [level, file, bytes] = fields[..] else {
                return Err(format!("{}: not a bar: {line}", path.display()).into());
            };
            let level = parse_level(level)?;
            bars.push(Self { level, file: file.into(), bytes: bytes.parse()? });
        }
        Ok(bars)
    }

    fn check(&self, coded: u64) -> bool {
        let kept = coded <= self.bytes;
        let verdict = if kept { "within" } else { "ABOVE" };
        eprintln!("level {}, {}: {coded} {verdict} {}", self.level, self.file, self.bytes);
        kept
    }
}
