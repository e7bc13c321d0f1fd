//! The command line.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use lexopt::prelude::{Long, Short, Value};
use lexopt::{Arg, Parser};
use statesmix::{Filter, Level};

use super::frames::{self, Threads};
use super::options::{self, Id, Opt, Takes};

/// The variable with options that count before those of the command line.
const ENVIRONMENT: &str = "STATESMIX_OPT";

/// What to do with each file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Compress,
    Decompress,
    Test,
    List,
    Bench,
    Explain,
    Train,
}

impl Mode {
    pub(crate) fn writes_file(self) -> bool {
        matches!(self, Self::Compress | Self::Decompress | Self::Explain | Self::Train)
    }

    /// Whether it reads files of any kind, not just compressed ones.
    pub(crate) fn reads_any(self) -> bool {
        matches!(self, Self::Compress | Self::Bench | Self::Explain | Self::Train)
    }
}

/// Where the result goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Beside the source, under a name made from its name.
    Beside,
    Stdout,
    File(OsString),
}

/// What stands for unpacked content where filters have their names.
pub(crate) const UNPACKED: &str = "deflate";
/// The name of what is no filter either: words are numbered.
pub(crate) const NUMBERED: &str = "words";

/// What to do about machine code, and what is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filtering {
    Auto,
    None,
    By(Filter),
    /// No filter, but what is packed is unpacked.
    Unpack,
    /// What [`NUMBERED`] stands for.
    Number,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Args {
    pub(crate) mode: Mode,
    pub(crate) level: Level,
    /// Whether the command line names the level.
    named_level: bool,
    /// With --train, whether each file is a message.
    pub(crate) whole_files: bool,
    pub(crate) dictionary: Option<OsString>,
    /// The last level to benchmark; the first is `level`.
    pub(crate) bench_to: Option<Level>,
    pub(crate) target: Target,
    pub(crate) checksum: bool,
    pub(crate) filter: Filtering,
    pub(crate) pretraining: bool,
    threads: Option<usize>,
    frame_size: Option<u64>,
    /// Memory that compressing may take, in bytes.
    pub(crate) compress_limit: Option<u64>,
    /// Memory that decoding may take, in bytes.
    pub(crate) memory_limit: Option<u64>,
    /// Bytes of content that one input may decompress to.
    pub(crate) output_limit: Option<u64>,
    pub(crate) force: bool,
    pub(crate) remove: bool,
    pub(crate) recursive: bool,
    pub(crate) json: bool,
    pub(crate) quiet: u8,
    pub(crate) verbose: bool,
    pub(crate) files: Vec<OsString>,
}

impl Args {
    fn new() -> Self {
        Self {
            mode: Mode::Compress,
            level: Level::DEFAULT,
            named_level: false,
            whole_files: false,
            dictionary: None,
            bench_to: None,
            target: Target::Beside,
            checksum: true,
            filter: Filtering::Auto,
            pretraining: true,
            threads: None,
            frame_size: None,
            compress_limit: None,
            memory_limit: None,
            output_limit: None,
            force: false,
            remove: false,
            recursive: false,
            json: false,
            quiet: 0,
            verbose: false,
            files: Vec::new(),
        }
    }

    /// Bytes of content of a frame, if there are to be several frames.
    pub(crate) fn frame_size(&self, level: Level) -> Option<u64> {
        let default = || self.threads.map(|_| frames::default_frame_size(level));
        self.frame_size.or_else(default)
    }

    /// The threads to compress with.
    pub(crate) fn compress_threads(&self) -> Threads {
        let memory = self.compress_limit.unwrap_or(u64::MAX);
        Threads { count: self.threads.unwrap_or(1), memory }
    }

    /// The threads to decompress with.
    pub(crate) fn decompress_threads(&self) -> Threads {
        let memory = self.memory_limit.unwrap_or(u64::MAX);
        Threads { count: self.threads.unwrap_or(1), memory }
    }

    /// Gives an option its effect.
    fn set(&mut self, option: &Opt, short: Option<char>, value: OsString) -> Result<(), String> {
        let text = || value.to_string_lossy();
        match option.id {
            Id::Compress => self.mode = Mode::Compress,
            Id::Decompress => self.mode = Mode::Decompress,
            Id::Test => self.mode = Mode::Test,
            Id::List => self.mode = Mode::List,
            Id::Explain => self.mode = Mode::Explain,
            Id::Train | Id::TrainFiles => {
                self.mode = Mode::Train;
                self.whole_files = option.id == Id::TrainFiles;
            }
            Id::Dictionary => self.dictionary = Some(value),
            Id::Bench => {
                self.mode = Mode::Bench;
                if !value.is_empty() {
                    self.level = parse_level(&text())?;
                }
            }
            Id::BenchTo => self.bench_to = Some(parse_level(&text())?),
            Id::Level => {
                self.level = parse_level(&short.into_iter().collect::<String>())?;
                self.named_level = true;
            }
            Id::Threads => self.threads = Some(parse_threads(&text())?),
            Id::FrameSize => self.frame_size = Some(parse_frame_size(&text())?),
            Id::Filter => self.filter = parse_filter(parse_word(option, &value)?),
            Id::NoPretraining => self.pretraining = false,
            Id::NoCheck => self.checksum = false,
            Id::Stdout => self.target = Target::Stdout,
            Id::Output if value == "-" => self.target = Target::Stdout,
            Id::Output => self.target = Target::File(value),
            Id::Keep => self.remove = false,
            Id::Remove => self.remove = true,
            Id::Force => self.force = true,
            Id::Recursive => self.recursive = true,
            Id::MemLimit => {
                self.memory_limit = parse_memory(&text())?;
                self.compress_limit = self.memory_limit;
            }
            Id::MemLimitCompress => self.compress_limit = parse_memory(&text())?,
            Id::MemLimitDecompress => self.memory_limit = parse_memory(&text())?,
            Id::MaxOutput => self.output_limit = parse_limit(&text())?,
            Id::Json => self.json = true,
            Id::Quiet => self.quiet = self.quiet.saturating_add(1),
            Id::Verbose => self.verbose = true,
            // Not about what is to be done; see `read`.
            Id::Generate | Id::Help | Id::Version => {}
        }
        Ok(())
    }

    /// Reads options and file names; those that only ask for a text end it.
    fn read(&mut self, mut parser: Parser, environment: bool) -> Result<Option<Command>, String> {
        while let Some(arg) = parser.next().map_err(|error| error.to_string())? {
            let (option, short) = match arg {
                Short(letter) => (options::short(letter), Some(letter)),
                Long(name) => (options::long(name), None),
                Value(name) if !environment => {
                    self.files.push(name);
                    continue;
                }
                Value(_) => (None, None),
            };
            let option = match option {
                Some(option) if option.env || !environment => option,
                Some(_) => return Err(format!("{} cannot stand there", shown(&arg))),
                None => return Err(arg.unexpected().to_string()),
            };
            let value = match option.takes {
                Takes::Nothing => None,
                Takes::Attached(_) => parser.optional_value(),
                _ => Some(parser.value().map_err(|error| error.to_string())?),
            };
            let value = value.unwrap_or_default();
            match option.id {
                Id::Help => return Ok(Some(Command::Help)),
                Id::Version => return Ok(Some(Command::Version)),
                Id::Generate => return Ok(Some(Command::Generate(parse_word(option, &value)?))),
                _ => self.set(option, short, value)?,
            }
        }
        Ok(None)
    }

    /// Refuses what does not go together.
    fn check(&self) -> Result<(), String> {
        if self.remove && (self.target == Target::Stdout || !self.mode.writes_file()) {
            return Err(
                "--rm needs an output file; it goes with neither -c nor -t, -l or -b".into()
            );
        }
        if self.mode == Mode::Explain && (self.remove || self.recursive) {
            return Err("--explain goes with neither --rm nor -r".into());
        }
        if let Target::File(_) = self.target {
            if !self.mode.writes_file() {
                return Err("-o does not go with -t, -l or -b".into());
            }
            if self.mode != Mode::Train && (self.files.len() > 1 || self.recursive) {
                return Err("-o takes one input; use -c and redirect it to join several".into());
            }
        }
        if self.filter == Filtering::Unpack && self.mode == Mode::Compress {
            if !self.level.unpacks() {
                return Err("--filter=deflate needs a level from 6 on".into());
            }
            if self.frame_size(self.level).is_some() {
                return Err("--filter=deflate goes with neither -T nor --frame-size".into());
            }
        }
        if self.filter == Filtering::Number && self.mode == Mode::Compress {
            if !self.level.numbers_words() {
                return Err("--filter=words needs a level from 3 on".into());
            }
            if self.frame_size(self.level).is_some() || self.dictionary.is_some() {
                return Err("--filter=words goes with none of -T, --frame-size and -D".into());
            }
        }
        self.check_training()?;
        if self.json && self.mode != Mode::List {
            return Err("--json goes with -l".into());
        }
        if self.bench_to.is_some() && self.mode != Mode::Bench {
            return Err("-e goes with -b".into());
        }
        if self.bench_to.is_some_and(|last| last < self.level) {
            return Err(format!("-e needs a level of at least {}, that of -b", self.level));
        }
        if self.dictionary.is_some() {
            return Ok(()); // which says the level, when it is loaded
        }
        self.check_memory(self.bench_to.unwrap_or(self.level), 0)
    }

    /// Refuses what does not go with dictionaries and their making.
    fn check_training(&self) -> Result<(), String> {
        if self.mode == Mode::Explain && self.dictionary.is_some() {
            return Err("-D does not go with --explain".into());
        }
        if self.bench_to.is_some() && self.dictionary.is_some() {
            return Err("-e does not go with -D, which has one level".into());
        }
        if self.mode != Mode::Train {
            return Ok(());
        }
        if self.remove || self.dictionary.is_some() {
            return Err("--train goes with neither --rm nor -D".into());
        }
        if self.target == Target::Beside {
            return Err("--train needs -o, the file to write the dictionary to".into());
        }
        if !self.named_level {
            return Err("--train needs a level, such as -1: it will be that of all who use the \
                        dictionary"
                .into());
        }
        Ok(())
    }

    /// Refuses a level that takes more memory than compressing may, together with
    /// a dictionary of so many bytes.
    pub(crate) fn check_memory(&self, level: Level, dictionary: u64) -> Result<(), String> {
        let Some(limit) = self.compress_limit.filter(|_| self.mode.reads_any()) else {
            return Ok(());
        };
        let (need, what) = match self.frame_size(level) {
            Some(size) => {
                let need = frames::memory_to_compress(level, size);
                (need, format!(" with frames of {}", super::report::size(size)))
            }
            None => (level.memory() as u64, String::new()),
        };
        let need = need + dictionary;
        if need <= limit {
            return Ok(());
        }
        Err(format!(
            "level {level}{what} needs {} of memory, the limit is {} (use a lower level, or raise \
             --memlimit-compress)",
            super::report::size(need),
            super::report::size(limit),
        ))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Run(Args),
    Help,
    Version,
    /// The man page or the completions of a shell.
    Generate(&'static str),
}

/// Reads the command line, program name first, after the options in
/// `environment`. Of options that exclude each other the last one counts, as in
/// gzip and xz.
pub(crate) fn parse(
    line: impl IntoIterator<Item = OsString>,
    environment: Option<OsString>,
) -> Result<Command, String> {
    let mut line = line.into_iter();
    let program = line.next().unwrap_or_default();
    let program = Path::new(&program).file_stem().and_then(OsStr::to_str);
    let mut args = Args::new();
    if let Some("unsmx" | "smxcat") = program {
        args.mode = Mode::Decompress;
    }
    if program == Some("smxcat") {
        args.target = Target::Stdout;
    }
    let defaults = environment.unwrap_or_default();
    let defaults =
        Parser::from_args(defaults.to_string_lossy().split_whitespace().map(OsString::from));
    args.read(defaults, true).map_err(|error| format!("{ENVIRONMENT}: {error}"))?;
    args.named_level = false;
    if let Some(command) = args.read(Parser::from_args(line), false)? {
        return Ok(command);
    }
    if args.files.is_empty() {
        args.files.push("-".into());
    }
    args.check()?;
    Ok(Command::Run(args))
}

/// The command line of this process.
pub(crate) fn parse_own() -> Result<Command, String> {
    parse(std::env::args_os(), std::env::var_os(ENVIRONMENT))
}

fn shown(arg: &Arg) -> String {
    match arg {
        Short(letter) => format!("-{letter}"),
        Long(name) => format!("--{name}"),
        Value(name) => name.to_string_lossy().into_owned(),
    }
}

fn parse_level(text: &str) -> Result<Level, String> {
    let level = text.parse().ok().and_then(Level::new);
    level.ok_or_else(|| format!("'{text}' is no level; they go from 0 to 9"))
}

fn parse_threads(text: &str) -> Result<usize, String> {
    match text.parse::<u16>() {
        Ok(0) => Ok(std::thread::available_parallelism().map_or(1, usize::from)),
        Ok(n) => Ok(n.into()),
        Err(_) => Err(format!("'{text}' is no number of threads")),
    }
}

fn parse_frame_size(text: &str) -> Result<u64, String> {
    const MIN: u64 = 4 << 10;
    match parse_size(text) {
        Some(size @ MIN..=frames::MAX_FRAME) => Ok(size),
        Some(_) => Err(format!("frames of '{text}'? They may have 4 KiB to 256 MiB")),
        None => Err(no_size(text)),
    }
}

/// The word, if it is one that the option takes.
fn parse_word(option: &Opt, value: &OsStr) -> Result<&'static str, String> {
    let Takes::OneOf(words) = option.takes else {
        return Err("takes no word".into());
    };
    let word = words.iter().copied().find(|&word| value == word);
    word.ok_or_else(|| format!("--{} takes one of {}", option.long[0], words.join(", ")))
}

/// The filter of one of the words that the option takes.
fn parse_filter(word: &str) -> Filtering {
    match Filter::ALL.into_iter().find(|filter| filter.name() == word) {
        Some(filter) => Filtering::By(filter),
        None if word == "none" => Filtering::None,
        None if word == UNPACKED => Filtering::Unpack,
        None if word == NUMBERED => Filtering::Number,
        None => Filtering::Auto,
    }
}

/// A number of bytes, or a size such as 64MiB.
fn parse_size(text: &str) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let log2 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1 << log2)
}

fn no_size(text: &str) -> String {
    format!("'{text}' is no size; say for example 64MiB")
}

/// A size that is a limit; `None` for no limit.
fn parse_limit(text: &str) -> Result<Option<u64>, String> {
    if text == "0" || text == "max" {
        return Ok(None);
    }
    parse_size(text).map(Some).ok_or_else(|| no_size(text))
}

/// A limit of memory, which must suffice for some level.
fn parse_memory(text: &str) -> Result<Option<u64>, String> {
    match parse_limit(text)? {
        Some(n) if n < Level::MIN.memory() as u64 => {
            Err(format!("a limit of '{text}' is below the 8 KiB of level 0"))
        }
        limit => Ok(limit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Result<Args, String> {
        args_with("", line)
    }

    fn args_with(environment: &str, line: &str) -> Result<Args, String> {
        match parse(line.split(' ').map(Into::into), Some(environment.into()))? {
            Command::Run(args) => Ok(args),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn program_name_picks_the_mode() {
        assert_eq!(args("statesmix").unwrap().mode, Mode::Compress);
        assert_eq!(args("/usr/bin/unsmx").unwrap().mode, Mode::Decompress);
        assert_eq!(args("unsmx").unwrap().target, Target::Beside);
        let cat = args("smxcat x").unwrap();
        assert_eq!((cat.mode, cat.target), (Mode::Decompress, Target::Stdout));
        assert_eq!(args("unsmx -z").unwrap().mode, Mode::Compress);
    }

    #[test]
    fn the_last_one_counts() {
        assert_eq!(args("s -d -t -z").unwrap().mode, Mode::Compress);
        assert_eq!(args("s -19").unwrap().level, Level::MAX);
        assert!(!args("s --rm -k").unwrap().remove);
        assert_eq!(args("s -o a -c").unwrap().target, Target::Stdout);
        assert_eq!(args("s -c -oa").unwrap().target, Target::File("a".into()));
        assert_eq!(args("s -o -").unwrap().target, Target::Stdout);
    }

    #[test]
    fn files_and_dashes() {
        assert_eq!(args("s").unwrap().files, ["-"]);
        assert_eq!(args("s a - -- -d").unwrap().files, ["a", "-", "-d"]);
        assert_eq!(args("s a - -- -d").unwrap().mode, Mode::Compress);
    }

    #[test]
    fn what_does_not_go_together() {
        for line in ["s --rm -c", "s --rm -t a", "s --rm -l a", "smxcat --rm a", "s -o a b c"] {
            assert!(args(line).is_err(), "{line}");
        }
        for line in ["s -o a -t b", "s -x", "s --nothing", "s --force=1", "s -o", "s --rm=a"] {
            assert!(args(line).is_err(), "{line}");
        }
    }

    #[test]
    fn filters() {
        assert_eq!(args("s").unwrap().filter, Filtering::Auto);
        assert_eq!(args("s --filter=none").unwrap().filter, Filtering::None);
        assert!(args("s --filter=z80").is_err());
        assert_eq!(args("s --filter=deflate").unwrap().filter, Filtering::Unpack);
        assert!(args("s -5 --filter=deflate").is_err());
        assert!(args("s -T2 --filter=deflate").is_err());
        // The option has a word for each.
        for filter in Filter::ALL {
            let args = args(&format!("s --filter {}", filter.name()));
            assert_eq!(args.unwrap().filter, Filtering::By(filter));
        }
    }

    #[test]
    fn limits() {
        for (text, limit) in [
            ("0", None),
            ("max", None),
            ("8192", Some(8 << 10)),
            ("64KiB", Some(64 << 10)),
            ("64k", Some(64 << 10)),
            ("3MiB", Some(3 << 20)),
            ("2GiB", Some(2 << 30)),
            ("2G", Some(2 << 30)),
        ] {
            assert_eq!(parse_limit(text), Ok(limit), "{text}");
        }
        for text in ["", "KiB", "-1", "1.5MiB", "64 MiB", "99999999999999999GiB"] {
            assert!(parse_limit(text).is_err(), "{text}");
        }
        let both = args("s -d --memlimit-decompress 8K --max-output=1").unwrap();
        assert_eq!((both.memory_limit, both.output_limit), (Some(8 << 10), Some(1)));
        for limit in ["8191", "7KiB"] {
            assert!(args(&format!("s --memlimit-decompress={limit}")).is_err());
        }
    }

    #[test]
    fn the_environment_comes_first() {
        assert_eq!(args_with("-3", "s a").unwrap().level, Level::new(3).unwrap());
        assert_eq!(args_with(" -3  -T2 ", "s -4 a").unwrap().level, Level::new(4).unwrap());
        assert_eq!(args_with("-3 -T2", "s a").unwrap().compress_threads().count, 2);
        for bad in ["-d", "-c", "-o x", "-f", "--rm", "a", "-r", "--help", "-x"] {
            let error = args_with(bad, "s a").unwrap_err();
            assert!(error.starts_with("STATESMIX_OPT: "), "{error}");
        }
    }

    #[test]
    fn frames_only_on_demand() {
        let size = |line: &str| args(line).map(|args| args.frame_size(args.level));
        assert_eq!(size("s a"), Ok(None));
        assert_eq!(size("s -T1 a"), size("s -T7 a"));
        assert!(size("s -T1 a").unwrap() > Some(0));
        assert_eq!(size("s --frame-size=64K a"), Ok(Some(64 << 10)));
        assert!(args("s -T0").unwrap().compress_threads().count >= 1);
        for line in ["s -Tx", "s -T", "s -T-1", "s --frame-size=1K", "s --frame-size=1G"] {
            assert!(args(line).is_err(), "{line}");
        }
    }

    #[test]
    fn memory_to_compress() {
        assert!(args("s -6 -M16MiB a").is_err());
        assert!(args("s -6 --memlimit-compress=16MiB a").is_err());
        assert!(args("s -6 --memlimit-decompress=16MiB a").is_ok());
        assert!(args("s -5 -M16MiB a").is_ok());
        assert!(args("s -5 -M16MiB -T1 a").is_err());
        assert!(args("s -5 -M16MiB --frame-size=2M a").is_ok());
        assert!(args("s -d -M16MiB a.smx").is_ok());
    }

    #[test]
    fn benchmarks() {
        let levels = |line| args(line).map(|args| (args.level.number(), args.bench_to));
        assert_eq!(levels("s -b a"), Ok((6, None)));
        assert_eq!(levels("s -b1 a"), Ok((1, None)));
        assert_eq!(levels("s -b1 -e5 a"), Ok((1, Level::new(5))));
        assert_eq!(levels("s --bench=2 --bench-to 4 a"), Ok((2, Level::new(4))));
        for line in ["s -b10", "s -bx", "s -e3", "s -b3 -e2", "s -b -o x"] {
            assert!(args(line).is_err(), "{line}");
        }
    }
}
