//! The command line.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use lexopt::prelude::{Long, Short, Value, ValueExt};
use statesmix::{Filter, Level};

/// What to do with each file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Compress,
    Decompress,
    Test,
    List,
}

impl Mode {
    pub(crate) fn writes_file(self) -> bool {
        matches!(self, Self::Compress | Self::Decompress)
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

/// What to do about machine code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filtering {
    Auto,
    None,
    By(Filter),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Args {
    pub(crate) mode: Mode,
    pub(crate) level: Level,
    pub(crate) target: Target,
    pub(crate) checksum: bool,
    pub(crate) filter: Filtering,
    /// Memory that decoding may take, in bytes.
    pub(crate) memory_limit: Option<u64>,
    pub(crate) force: bool,
    pub(crate) remove: bool,
    pub(crate) quiet: u8,
    pub(crate) verbose: bool,
    pub(crate) files: Vec<OsString>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Run(Args),
    Help,
    Version,
}

/// Reads the command line, program name first. Of options that exclude each
/// other the last one counts, as in gzip and xz.
pub(crate) fn parse(line: impl IntoIterator<Item = OsString>) -> Result<Command, String> {
    let mut line = line.into_iter();
    let program = line.next().unwrap_or_default();
    let program = Path::new(&program).file_stem().and_then(OsStr::to_str);
    let mut args = Args {
        mode: match program {
            Some("unsmx" | "smxcat") => Mode::Decompress,
            _ => Mode::Compress,
        },
        level: Level::DEFAULT,
        target: if program == Some("smxcat") { Target::Stdout } else { Target::Beside },
        checksum: true,
        filter: Filtering::Auto,
        memory_limit: None,
        force: false,
        remove: false,
        quiet: 0,
        verbose: false,
        files: Vec::new(),
    };
    let mut parser = lexopt::Parser::from_args(line);
    while let Some(arg) = parser.next().map_err(|error| error.to_string())? {
        match arg {
            Short('z') | Long("compress") => args.mode = Mode::Compress,
            Short('d') | Long("decompress" | "uncompress") => args.mode = Mode::Decompress,
            Short('t') | Long("test") => args.mode = Mode::Test,
            Short('l') | Long("list") => args.mode = Mode::List,
            Short(digit @ '0'..='9') => {
                args.level = Level::new(digit as u8 - b'0').expect("0 to 9")
            }
            Short('k') | Long("keep") => args.remove = false,
            Long("rm") => args.remove = true,
            Short('c') | Long("stdout" | "to-stdout") => args.target = Target::Stdout,
            Short('o') | Long("output") => {
                args.target = match parser.value().map_err(|error| error.to_string())? {
                    name if name == "-" => Target::Stdout,
                    name => Target::File(name),
                }
            }
            Short('f') | Long("force") => args.force = true,
            Short('q') | Long("quiet") => args.quiet = args.quiet.saturating_add(1),
            Short('v') | Long("verbose") => args.verbose = true,
            Long("memlimit-decompress") => {
                let value = parser.value().and_then(|v| v.string()).map_err(|e| e.to_string())?;
                args.memory_limit = parse_limit(&value)?;
            }
            Long("filter") => {
                let value = parser.value().and_then(|v| v.string()).map_err(|e| e.to_string())?;
                args.filter = parse_filter(&value)?;
            }
            Long("no-check") => args.checksum = false,
            Short('h') | Long("help") => return Ok(Command::Help),
            Short('V') | Long("version") => return Ok(Command::Version),
            Value(name) => args.files.push(name),
            other => return Err(other.unexpected().to_string()),
        }
    }
    if args.files.is_empty() {
        args.files.push("-".into());
    }
    if args.remove && (args.target == Target::Stdout || !args.mode.writes_file()) {
        return Err("--rm needs an output file; it does not go with -c, -t or -l".into());
    }
    if let Target::File(_) = args.target {
        if !args.mode.writes_file() {
            return Err("-o does not go with -t or -l".into());
        }
        if args.files.len() > 1 {
            return Err("-o takes one input; use -c and redirect it to join several".into());
        }
    }
    Ok(Command::Run(args))
}

fn parse_filter(text: &str) -> Result<Filtering, String> {
    match text {
        "auto" => Ok(Filtering::Auto),
        "none" => Ok(Filtering::None),
        name => match Filter::ALL.into_iter().find(|filter| filter.name() == name) {
            Some(filter) => Ok(Filtering::By(filter)),
            None => Err(format!("'{text}' is no filter; say for example auto, none or arm64")),
        },
    }
}

/// A size such as 64MiB; `None` for no limit.
fn parse_limit(text: &str) -> Result<Option<u64>, String> {
    if text == "0" || text == "max" {
        return Ok(None);
    }
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let log2 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        _ => return Err(format!("'{text}' is no size; say for example 64MiB")),
    };
    let limit = number.parse::<u64>().ok().and_then(|n| n.checked_mul(1 << log2));
    match limit {
        None => Err(format!("'{text}' is no size; say for example 64MiB")),
        Some(n) if n < Level::MIN.memory() as u64 => {
            Err(format!("a limit of '{text}' is below the 8 KiB of level 0"))
        }
        some => Ok(some),
    }
}

pub(crate) const HELP: &str = "\
statesmix - compress files where bytes cost more than time

Usage: statesmix [OPTION]... [FILE]...
       unsmx     [OPTION]... [FILE]...    the same as statesmix -d
       smxcat    [OPTION]... [FILE]...    the same as statesmix -dc

Compresses each FILE to FILE.smx and keeps FILE. Without FILE, or where FILE
is -, it reads standard input and writes standard output.

What to do (the last one counts)
  -z, --compress      compress; this is the default
  -d, --decompress    decompress FILE.smx to FILE
  -t, --test          decompress to nowhere: is FILE intact?
  -l, --list          show levels, memory, sizes, ratio and so on; see below

How to compress
  -0 ... -9           level; the default is -6. Decompressing takes the same
                      memory, and about the same time, as compressing:

                      -0 8 KiB    -1 32 KiB   -2 128 KiB  -3 512 KiB  -4 2 MiB
                      -5 8 MiB    -6 32 MiB   -7 128 MiB  -8 512 MiB  -9 2 GiB

                      The program itself takes a few MiB more.
  --filter=NAME       make machine code more alike: x86, x86-64, arm, thumb,
                      arm64 or riscv; none; or auto, the default, which takes
                      one that suits the first 256 KiB, or none
  --no-check          leave out the CRC-32 of the content (4 bytes), by which
                      damage is noticed

Where it goes
  -c, --stdout        write to standard output
  -o, --output=FILE   write to this file; for one input only
  -k, --keep          keep the input; this is the default
  --rm                remove each input once its output is safely on the disk,
                      unless it has changed meanwhile
  -f, --force         overwrite existing outputs; follow symbolic links; with
                      -c, write compressed data even to a terminal

Limits and messages
  --memlimit-decompress=SIZE
                      refuse what needs more memory than SIZE to decompress,
                      not counting the few MiB of the program. SIZE is a number
                      of bytes, or has one of the suffixes KiB, MiB and GiB
                      (also K, M, G). 0 and max mean no limit, the default.
  -q, --quiet         no warnings, no progress bar; twice: no errors either
  -v, --verbose       a line about each file done; with -l, about each frame
  -h, --help          this text
  -V, --version       the version
  --                  whatever follows is a FILE, even if it begins with -

Files
  An output appears under its name when it is complete and on the disk; until
  then it is a temporary file (.statesmix-...) in the same directory, which
  errors, SIGINT, SIGTERM and SIGHUP remove. No existing file is overwritten
  without -f. Outputs get mode, owner where permitted, and times of the input.
  A device or named pipe given to -o is written to as it is.

  Compressing skips names that end in .smx; decompressing needs names that do,
  and takes .smx off; with -c and -o any name will do. Directories are skipped.
  So are symbolic links, unless -f is given, and devices and named pipes; -c,
  -o, -t and -l read all of these, but --rm wants -f for a link. Several .smx
  files written one after the other make one that decompresses to all of their
  contents.

  The header of a frame states the size of a regular file. Should that change
  while it is being read, the file is given up with an error.

List
  One line for each file: number of frames, highest level, memory to decompress
  it, sizes in bytes, compressed size divided by uncompressed, checksum (yes,
  no, or some of the frames), filter (its name, no, or some), name. Since a
  frame does not state its compressed size, listing decompresses everything,
  and thereby tests it. Where that needs more than the limit, the line tells
  the level and the memory that the first too demanding frame asks for, with -
  for what is not known.

Progress
  If it takes more than a second and standard error is a terminal, a bar shows
  how much of the input is done, the content per second, and the time left.

Exit status
  0  all is well
  1  an error
  2  no error, but something to warn of, such as a file skipped

Examples
  statesmix -9 log.csv              make log.csv.smx
  statesmix -d log.csv.smx          make log.csv of it
  tar c dir | statesmix > dir.tar.smx
  smxcat dir.tar.smx | tar x
  statesmix -2 -o fw.smx fw.bin     for a device with 128 KiB to spare
  statesmix -d --memlimit-decompress=128MiB upload.smx
";

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Result<Args, String> {
        match parse(line.split(' ').map(Into::into))? {
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
        assert_eq!(args("s --filter x86-64").unwrap().filter, Filtering::By(Filter::X86_64));
        assert!(args("s --filter=z80").is_err());
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
        for text in ["", "KiB", "-1", "1.5MiB", "64 MiB", "8191", "7KiB", "99999999999999999GiB"] {
            assert!(parse_limit(text).is_err(), "{text}");
        }
    }
}
