//! Dictionaries: read for -D, made of samples by --train.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, IsTerminal, Read};

use statesmix::{Dictionary, Error, train};

use super::args::{Args, Mode, Target};
use super::codec::Fault;
use super::file::Output;
use super::report::{Meter, Trouble, size};

/// The bytes of the dictionary that the arguments name, checked.
pub(crate) fn load(name: &OsStr, args: &Args) -> Result<Vec<u8>, Trouble> {
    let cannot = |error: io::Error| Trouble::error(format!("cannot read: {error}"));
    let mut file = File::open(name).map_err(cannot)?;
    let mut bytes = Vec::new();
    (&mut file).take(4).read_to_end(&mut bytes).map_err(cannot)?;
    let level = match bytes.first_chunk() {
        Some(first) => Dictionary::level_of(first).map_err(bad)?,
        None => return Err(bad(Error::NotDictionary)),
    };
    // The model and the dictionary that it begins with.
    let need = (level.memory() + level.dictionary()) as u64;
    if let Some(limit) = args.memory_limit.filter(|&limit| !args.mode.reads_any() && need > limit) {
        let (need, limit) = (size(need), size(limit));
        return Err(Trouble::error(format!(
            "level {level} with a dictionary needs {need} of memory to decompress, the limit is \
             {limit} (raise --memlimit-decompress)"
        )));
    }
    args.check_memory(level, level.dictionary() as u64).map_err(Trouble::error)?;
    // One byte too many is enough to know that it is none.
    let rest = (level.dictionary() - bytes.len() + 1) as u64;
    file.take(rest).read_to_end(&mut bytes).map_err(cannot)?;
    Dictionary::new(&bytes).map_err(bad)?;
    Ok(bytes)
}

fn bad(error: Error) -> Trouble {
    Trouble::error(match error {
        Error::NotDictionary => format!("{error} (make one with --train)"),
        error => format!("{error} (get it again, or make it anew with --train)"),
    })
}

/// The messages to make a dictionary of.
#[derive(Debug, Default)]
pub(crate) struct Training {
    messages: Vec<Vec<u8>>,
}

impl Training {
    /// Takes the messages in `input`: its lines, or `whole` as it is. Empty ones
    /// teach nothing.
    pub(crate) fn take(
        &mut self,
        input: &mut dyn Read,
        whole: bool,
        meter: &mut Meter,
    ) -> Result<(), Fault> {
        let mut input = BufReader::new(input);
        loop {
            let mut message = Vec::new();
            let read = if whole {
                input.read_to_end(&mut message)
            } else {
                input.read_until(b'\n', &mut message)
            };
            let read = read.map_err(Fault::Read)?;
            if read == 0 {
                return Ok(());
            }
            if !whole {
                message.pop_if(|&mut last| last == b'\n');
            }
            if !message.is_empty() {
                self.messages.push(message);
            }
            meter.read += read as u64;
            meter.tick(meter.read, meter.read);
        }
    }

    /// Makes the dictionary and writes it; returns the number of messages.
    pub(crate) fn finish(self, args: &Args) -> Result<usize, Trouble> {
        if self.messages.is_empty() {
            return Err(Trouble::error("there are no messages to make a dictionary of"));
        }
        let mut output = match &args.target {
            Target::File(path) => {
                let path = fs::canonicalize(path).unwrap_or_else(|_| path.into());
                Output::file(path, None, args.force)?
            }
            _ => {
                let stdout = io::stdout();
                if stdout.is_terminal() && !args.force {
                    return Err(Trouble::error(
                        "a dictionary is not written to a terminal (redirect it, or use -o)",
                    ));
                }
                Output::Stdout(stdout.lock())
            }
        };
        let dictionary = train(args.level, self.messages.iter().map(Vec::as_slice))
            .map_err(|error| Trouble::error(error.to_string()))?;
        let written = output.writer().write_all(&dictionary);
        written.map_err(|error| Trouble::write("the output", &error))?;
        output.commit(None)?;
        Ok(self.messages.len())
    }
}

/// Whether the file is the output, which must not be read as a sample.
pub(crate) fn is_output(name: &OsStr, args: &Args) -> bool {
    match &args.target {
        Target::File(path) if args.mode == Mode::Train => {
            fs::canonicalize(path).is_ok_and(|path| fs::canonicalize(name).is_ok_and(|n| n == path))
        }
        _ => false,
    }
}
