//! One file from its name to its result.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use statesmix::{Error, Level, Options};

use super::args::{Args, Mode, Target};
use super::codec::{self, Fault};
use super::file::{Accept, Input, Output};
use super::list::{List, Sum};
use super::report::{Meter, Trouble, printable, say, size};

const SUFFIX: &str = "smx";

/// What is to be done with each file.
pub(crate) struct Job<'a> {
    args: &'a Args,
    /// The highest level within the memory limit.
    limit: Level,
    list: List,
}

impl<'a> Job<'a> {
    pub(crate) fn new(args: &'a Args) -> Self {
        let limit = args.memory_limit.unwrap_or(u64::MAX);
        let limit = (0..=Level::MAX.number())
            .filter_map(Level::new)
            .take_while(|level| level.memory() as u64 <= limit)
            .last()
            .unwrap_or(Level::MIN);
        Self { args, limit, list: List::default() }
    }

    pub(crate) fn run(&mut self, name: &OsStr) -> Result<(), Trouble> {
        let args = self.args;
        let leaves_source = !args.mode.writes_file() || args.target != Target::Beside;
        let accept = Accept {
            links: args.force || leaves_source && !args.remove,
            devices: leaves_source,
            terminal: args.mode == Mode::Compress,
        };
        let mut input = Input::open(name, accept)?;
        let mut output = self.output(name, &input)?;
        let len = input.len();
        let mut meter = Meter::new(name, len, args.quiet > 0 || self.prints(&output));
        let mut frames = Sum::default();
        let result = match args.mode {
            Mode::Compress => {
                let mut options = Options::new(args.level).checksum(args.checksum);
                // Files in /proc say 0 and are not.
                if let Some(len) = len.filter(|&len| len > 0) {
                    options = options.content_size(len);
                }
                let (reader, writer) = (&mut *input.reader, output.writer());
                codec::encode(reader, writer, options, args.filter, &mut meter)
            }
            _ => {
                let (reader, writer) = (&mut *input.reader, output.writer());
                codec::decode(reader, writer, self.limit, &mut meter, |frame| {
                    frames.add(&frame);
                    if args.mode == Mode::List && args.verbose {
                        self.list.show_frame(frames.frames, &frame, name)?;
                    }
                    Ok(())
                })
            }
        };
        let (read, written) = (meter.read, meter.written);
        let rate = meter.rate(if args.mode == Mode::Compress { read } else { written });
        drop(meter);
        match (result, args.mode) {
            (Ok(()), Mode::List) => return self.list.show_file(&frames, name),
            (Ok(()), _) => {}
            (Err(Fault::Codec(Error::LevelLimit(level))), Mode::List) => {
                self.list.show_unknown(level, len, name)?;
                return Err(Trouble::warning(format!(
                    "sizes not known: level {level} is above the limit (raise \
                     --memlimit-decompress)"
                )));
            }
            (Err(fault), _) => return Err(self.explain(fault, read, frames.compressed)),
        }
        output.commit(input.metadata.as_ref())?;
        if args.remove {
            input.remove(name)?;
        }
        if args.verbose {
            let name = printable(name);
            match args.mode {
                Mode::Test => say(&format!("{name}: intact, {written} bytes, {rate}")),
                _ => say(&format!("{name}: {read} -> {written} bytes, {rate}")),
            }
        }
        Ok(())
    }

    /// Whether the user reads on the terminal what is being put out: no
    /// progress bar then.
    fn prints(&self, output: &Output) -> bool {
        let prints = match output {
            Output::Stdout(_) => true,
            _ => self.args.mode == Mode::List && self.args.verbose,
        };
        prints && io::stdout().is_terminal()
    }

    /// What comes after the last file.
    pub(crate) fn finish(&mut self) -> Result<(), Trouble> {
        self.list.show_total()
    }

    fn output(&self, name: &OsStr, input: &Input) -> Result<Output, Trouble> {
        let args = self.args;
        let source = input.metadata.as_ref();
        match &args.target {
            _ if !args.mode.writes_file() => Ok(Output::Nowhere(io::sink())),
            Target::Beside if name != "-" => {
                Output::file(result_name(args.mode, name)?, source, args.force)
            }
            Target::File(path) => {
                // The user named it, so a link means what it points to.
                let path = fs::canonicalize(path).unwrap_or_else(|_| path.into());
                if source.is_some() && fs::canonicalize(name).is_ok_and(|name| name == path) {
                    return Err(Trouble::error("is input and output (give -o another name)"));
                }
                let output = Output::file(path, source, args.force)?;
                match output {
                    Output::Device(_) if args.remove => {
                        Err(Trouble::error("is not kept by a device (leave out --rm)"))
                    }
                    output => Ok(output),
                }
            }
            target => {
                let stdout = io::stdout();
                let anyway = args.force && *target == Target::Stdout;
                if args.mode == Mode::Compress && stdout.is_terminal() && !anyway {
                    return Err(Trouble::error(
                        "compressed data is not written to a terminal (redirect it, use -o, or \
                         -cf if you must)",
                    ));
                }
                Ok(Output::Stdout(stdout.lock()))
            }
        }
    }

    /// Says what has happened, and what can be done. `read` bytes were read,
    /// `complete` of them are frames that are all right.
    fn explain(&self, fault: Fault, read: u64, complete: u64) -> Trouble {
        let message = match fault {
            Fault::Read(error) => format!("cannot read: {error}"),
            Fault::Write(error) => return Trouble::write("the output", &error),
            Fault::Told(trouble) => return trouble,
            Fault::Codec(Error::ContentSize) => {
                "changed its size while being read (try again, or use a pipe)".into()
            }
            Fault::Codec(Error::Memory { needed }) => {
                let needed = size(needed as u64);
                match self.args.mode {
                    Mode::Compress => {
                        format!("not enough memory, the level needs {needed} (use a lower one)")
                    }
                    _ => format!("not enough memory, to decompress it takes {needed}"),
                }
            }
            Fault::Codec(Error::LevelLimit(level)) => format!(
                "level {level} needs {} of memory to decompress, the limit is {} (raise \
                 --memlimit-decompress)",
                size(level.memory() as u64),
                size(self.args.memory_limit.unwrap_or(u64::MAX)),
            ),
            Fault::Codec(Error::Truncated) if read == 0 => {
                "is empty, not in statesmix format".into()
            }
            Fault::Codec(Error::Truncated) => {
                "ends in the middle of a frame: truncated or damaged (get it again)".into()
            }
            Fault::Codec(Error::NotStatesmix) if complete > 0 => format!(
                "what follows byte {complete} is not in statesmix format (-dc gives what comes \
                 before it)"
            ),
            Fault::Codec(error @ (Error::Corrupt | Error::Checksum)) => {
                format!("{error} (get it again)")
            }
            Fault::Codec(error @ Error::Version(_)) => {
                format!("{error} (use the statesmix that made it)")
            }
            Fault::Codec(error) => error.to_string(),
        };
        Trouble::Error(message)
    }
}

/// The name of the result: with or without the suffix.
fn result_name(mode: Mode, name: &OsStr) -> Result<PathBuf, Trouble> {
    let path = Path::new(name);
    let has_suffix = path.extension().is_some_and(|extension| extension == SUFFIX);
    match (mode, has_suffix) {
        (Mode::Compress, true) => Err(Trouble::warning(
            "has the suffix .smx already, skipping (-c and -o compress it all the same)",
        )),
        (Mode::Compress, false) => {
            let mut result = OsString::from(name);
            result.push(".");
            result.push(SUFFIX);
            Ok(result.into())
        }
        (_, true) => Ok(path.with_extension("")),
        (_, false) => Err(Trouble::error(
            "does not end in .smx, so its result has no name (give one with -o, or use -c)",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_results() {
        let compress = |name: &str| result_name(Mode::Compress, name.as_ref()).ok();
        let decompress = |name: &str| result_name(Mode::Decompress, name.as_ref()).ok();
        assert_eq!(compress("a/b.c"), Some("a/b.c.smx".into()));
        assert_eq!(compress("b.smx"), None);
        assert_eq!(compress(".smx"), Some(".smx.smx".into()));
        assert_eq!(decompress("a/b.c.smx"), Some("a/b.c".into()));
        assert_eq!(decompress("b.smx.smx"), Some("b.smx".into()));
        assert_eq!(decompress("b"), None);
        assert_eq!(decompress("a/.smx"), None);
        assert_eq!(decompress("b.SMX"), None);
    }
}
