//! One file from its name to its result.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use statesmix::{Dictionary, Error, Filter, Level, Options, number_words, unpack};

use super::args::{Args, Filtering, Mode, Target};
use super::bench;
use super::codec::{self, Done, Fault, Setting};
use super::dictionary::{Training, is_output};
use super::explain;
use super::file::{Accept, Input, Output};
use super::frames::{self, Cut, Threads};
use super::list::{List, Sum};
use super::report::{Meter, Trouble, printable, say, size};

const SUFFIX: &str = "smx";

/// Bytes of a content that is unpacked, at most, and of what becomes of it: both are
/// in memory.
const MOST_TO_UNPACK: u64 = 64 << 20;
const MOST_UNPACKED: u64 = 128 << 20;
/// Frames below this size are not pretrained: reading the text would take as long as the
/// frame itself.
const LEAST_TO_PRETRAIN: u64 = 64 << 10;
/// Content up to this size, which is seen whole from the start, is tried with pretraining
/// too if it does not look like text, or with and without numbered words.
const MOST_TO_TRY: usize = 64 << 10;
const _: () = assert!(MOST_TO_TRY < Filter::DETECT);
/// Words are numbered in longer content if that leaves at most so many hundredths of the
/// bytes of its beginning. Beyond, more and more files get larger by it; from where on is a
/// matter of what the level knows of text without it.
const fn numbered_percent(level: Level) -> usize {
    if level.pretrains() { 70 } else { 80 }
}

/// What is to be done with each file.
pub(crate) struct Job<'a> {
    args: &'a Args,
    /// The highest level within the memory limit, the dictionary, and the limit
    /// of output.
    limit: Setting<'a>,
    /// The samples for a dictionary, and whether one is missing.
    training: Training,
    incomplete: bool,
    list: List,
    /// Whether a line of the benchmark has been printed.
    begun: bool,
}

impl<'a> Job<'a> {
    pub(crate) fn new(args: &'a Args, dictionary: Option<Dictionary<'a>>) -> Self {
        let limit = args.memory_limit.unwrap_or(u64::MAX);
        let level = (0..=Level::MAX.number())
            .filter_map(Level::new)
            .take_while(|level| level.memory() as u64 <= limit)
            .last()
            .unwrap_or(Level::MIN);
        let output = args.output_limit.unwrap_or(u64::MAX);
        let limit = Setting { level, dictionary, output };
        let list = List::new(args.json);
        Self { args, limit, training: Training::default(), incomplete: false, list, begun: false }
    }

    pub(crate) fn run(&mut self, name: &OsStr) -> Result<(), Trouble> {
        let result = self.run_file(name);
        self.incomplete |= result.is_err();
        result
    }

    fn run_file(&mut self, name: &OsStr) -> Result<(), Trouble> {
        let args = self.args;
        let leaves_source = !args.mode.writes_file() || args.target != Target::Beside;
        let accept = Accept {
            links: args.force || leaves_source && !args.remove,
            devices: leaves_source,
            terminal: args.mode.reads_any(),
        };
        let mut input = Input::open(name, accept)?;
        if args.mode == Mode::Bench {
            return self.bench(input, name);
        }
        if args.mode == Mode::Train {
            return self.train(input, name);
        }
        let mut output = self.output(name, &input)?;
        let len = input.len();
        let mut meter = Meter::new(name, len, args.quiet > 0 || self.prints(&output));
        let mut sum = Sum::default();
        let result = match args.mode {
            Mode::Compress => {
                let (reader, writer) = (&mut *input.reader, output.writer());
                // Files in /proc say 0 and are not.
                let total = len.filter(|&len| len > 0);
                compress(reader, writer, args, self.setting(), total, &mut meter)
            }
            Mode::Explain => {
                let quiet = args.quiet > 0 || self.prints(&output);
                explain::run(&mut *input.reader, output.writer(), args.level, name, quiet)
            }
            _ => {
                let (reader, writer) = (&mut *input.reader, output.writer());
                let done = &mut |frame| {
                    sum.add(&frame);
                    if args.mode == Mode::List && args.verbose {
                        self.list.show_frame(sum.frames, &frame, name)?;
                    }
                    Ok(())
                };
                match args.mode {
                    Mode::List => frames::survey(reader, self.limit, &mut meter, done),
                    _ => decompress(reader, writer, args, self.limit, &mut meter, done),
                }
            }
        };
        let (read, written) = (meter.read, meter.written);
        let rate = meter.rate(if args.mode == Mode::Compress { read } else { written });
        drop(meter);
        match (result, args.mode) {
            (Ok(()), Mode::List) => return self.list.show_file(&sum, name),
            (Ok(()), _) => {}
            (Err(Fault::Codec(Error::LevelLimit(level))), Mode::List) => {
                self.list.show_unknown(level, len, name)?;
                return Err(Trouble::warning(format!(
                    "sizes not known: level {level} is above the limit (raise \
                     --memlimit-decompress)"
                )));
            }
            (Err(fault), _) => return Err(self.explain(fault, read, sum.compressed)),
        }
        output.commit(input.metadata.as_ref())?;
        if args.remove {
            input.remove(name)?;
        }
        if args.verbose {
            let name = printable(name);
            match args.mode {
                Mode::Test => say(&format!("{name}: intact, {written} bytes, {rate}")),
                Mode::Explain => say(&format!("{name}: explained")),
                _ => say(&format!("{name}: {read} -> {written} bytes, {rate}")),
            }
        }
        Ok(())
    }

    /// Benchmarks the input.
    fn bench(&mut self, mut input: Input, name: &OsStr) -> Result<(), Trouble> {
        let mut content = Vec::new();
        let read = input.reader.read_to_end(&mut content).map_err(Fault::Read);
        let first = !std::mem::replace(&mut self.begun, true);
        let result =
            read.and_then(|_| bench::run(self.args, self.setting(), &content, name, first));
        result.map_err(|fault| self.explain(fault, content.len() as u64, 0))
    }

    /// What to compress with: a dictionary says the level.
    fn setting(&self) -> Setting<'a> {
        let dictionary = self.limit.dictionary;
        let level = dictionary.map_or(self.args.level, |dictionary| dictionary.level());
        Setting { level, dictionary, output: u64::MAX }
    }

    /// Adds the messages of the input to the dictionary.
    fn train(&mut self, mut input: Input, name: &OsStr) -> Result<(), Trouble> {
        if is_output(name, self.args) {
            return Err(Trouble::error("is sample and output (give -o another name)"));
        }
        let mut meter = Meter::new(name, input.len(), self.args.quiet > 0);
        let whole = self.args.whole_files;
        let result = self.training.take(&mut *input.reader, whole, &mut meter);
        result.map_err(|fault| self.explain(fault, meter.read, 0))
    }

    /// Writes the dictionary, unless a sample is missing.
    fn finish_training(&mut self) -> Result<(), Trouble> {
        if self.incomplete {
            return Err(Trouble::error("no dictionary was made, for samples are missing"));
        }
        let messages = std::mem::take(&mut self.training).finish(self.args)?;
        if self.args.verbose {
            let bytes = self.args.level.dictionary();
            say(&format!("{messages} messages -> a dictionary of {bytes} bytes"));
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
        match self.args.mode {
            Mode::List => self.list.finish(),
            Mode::Train => self.finish_training(),
            _ => Ok(()),
        }
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
            Fault::Thread(error) => format!("cannot start a thread: {error}"),
            Fault::Codec(Error::ContentSize) => {
                "changed its size while being read (try again, or use a pipe)".into()
            }
            Fault::Codec(Error::Memory { needed }) => {
                let needed = size(needed as u64);
                match self.args.mode {
                    mode if mode.reads_any() => {
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
            Fault::Codec(Error::OutputLimit) => format!(
                "decompresses to more than {}, the limit (raise --max-output)",
                size(self.args.output_limit.unwrap_or(u64::MAX)),
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
            Fault::Codec(error @ Error::Dictionary(_)) => match self.limit.dictionary {
                Some(other) => format!("{error}, not that of -D, {:08x}", other.id()),
                None => format!("{error} (give it with -D)"),
            },
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

/// Decompresses all frames of `input`, up to level `limit`, and tells of each.
pub(crate) fn decompress(
    input: &mut dyn Read,
    output: &mut dyn Write,
    args: &Args,
    limit: Setting,
    meter: &mut Meter,
    done: Done,
) -> Result<(), Fault> {
    match beside(limit.dictionary, args.decompress_threads()) {
        Threads { count: 1, .. } => codec::decode(input, output, limit, meter, done),
        threads => frames::decode(input, output, limit, threads, meter, done),
    }
}

/// Compresses all of `input`, of `total` bytes if that is known, as the arguments
/// say, but at the level of `setting`. Its first bytes decide on filter and
/// pretraining for all of it, however many frames that is.
pub(crate) fn compress(
    input: &mut dyn Read,
    output: &mut dyn Write,
    args: &Args,
    setting: Setting,
    total: Option<u64>,
    meter: &mut Meter,
) -> Result<(), Fault> {
    let mut start = Vec::new();
    (&mut *input).take(Filter::DETECT as u64).read_to_end(&mut start).map_err(Fault::Read)?;
    let filter = match args.filter {
        Filtering::Auto => Filter::detect(&start),
        Filtering::None | Filtering::Unpack | Filtering::Number => None,
        Filtering::By(filter) => Some(filter),
    };
    let ends = start.len() < Filter::DETECT;
    let mut options = Options::new(setting.level).checksum(args.checksum);
    let frame_size = args.frame_size(setting.level);
    if args.pretraining && frame_size.is_none_or(|size| size >= LEAST_TO_PRETRAIN) {
        options = options.pretrained_for(&start);
    }
    let short = (1..=MOST_TO_TRY).contains(&start.len());
    let start = &start[..];
    let input = &mut start.chain(input);
    if let Some(filter) = filter {
        options = options.filter(filter);
    }
    if let Some(frame_size) = frame_size {
        let threads = beside(setting.dictionary, args.compress_threads());
        let cut = Cut { setting, options, frame_size, total, threads };
        return frames::encode(input, output, cut, meter);
    }
    let options = total.map_or(options, |total| options.content_size(total));
    // Beside the content, the stream being unpacked and the result are in memory, and
    // may take twice what they hold.
    let spare = args.compress_limit.unwrap_or(u64::MAX).saturating_sub(setting.memory()) / 5;
    let most = MOST_TO_UNPACK.min(spare);
    let auto = args.filter == Filtering::Auto
        && filter.is_none()
        && (ends || total.is_some_and(|total| total <= most));
    let (level, alone) = (setting.level, setting.dictionary.is_none());
    let room = (level.unpacks() && (auto || args.filter == Filtering::Unpack))
        .then_some(MOST_UNPACKED.min(spare) as usize);
    let forced = args.filter == Filtering::Number;
    let numbers = forced
        || auto
            && args.pretraining
            && alone
            && level.numbers_words()
            && (short || has_words(start, level));
    // Programs and the like have text in them.
    let pretrains = short
        && args.pretraining
        && alone
        && level.pretrains()
        && !forced
        && options != options.pretrained(true);
    let mut content = Vec::new();
    if room.is_some() || numbers || pretrains {
        // A byte more than may be, to notice what is too long.
        (&mut *input).take(most + 1).read_to_end(&mut content).map_err(Fault::Read)?;
    }
    let len = content.len() as u64;
    if len > 0 && len <= most {
        let plain = || (Cow::from(&content[..]), options);
        let numbered = || (number_words(&content).into(), options.numbered());
        let ways = match room.and_then(|room| unpack(&content, room)) {
            Some(unpacked) => {
                let mut options = options.unpacked();
                if args.pretraining {
                    options = options.pretrained_for(&unpacked);
                }
                vec![(unpacked.into(), options)]
            }
            None if pretrains => vec![plain(), (plain().0, options.pretrained(true))],
            None if numbers && short && !forced => vec![plain(), numbered()],
            None if numbers => vec![numbered()],
            None => vec![plain()],
        };
        return encode_best(&ways, len, setting.dictionary, output, meter);
    }
    let input = &mut content.chain(input);
    codec::encode(input, output, options, setting.dictionary, meter, &|read| read)
}

/// What an encoder can be given for a content, with the options that say what it is.
type Way<'a> = (Cow<'a, [u8]>, Options);

/// Whether numbering the words of `content` is worth it at `level`.
fn has_words(content: &[u8], level: Level) -> bool {
    let start = &content[..content.len().min(MOST_TO_TRY)];
    number_words(start).len() * 100 < start.len() * numbered_percent(level)
}

/// Compresses a content of `len` bytes in each of these ways, and writes what takes fewest
/// bytes.
fn encode_best(
    ways: &[Way],
    len: u64,
    dictionary: Option<Dictionary>,
    output: &mut dyn Write,
    meter: &mut Meter,
) -> Result<(), Fault> {
    let encode = |(bytes, options): &Way, output: &mut dyn Write, meter: &mut Meter| {
        let all = bytes.len().max(1) as u128;
        let share = |done| (u128::from(len) * u128::from(done) / all) as u64;
        codec::encode(&mut &bytes[..], output, *options, dictionary, meter, &share)
    };
    if let [way] = ways {
        return encode(way, output, meter);
    }
    let written = meter.written;
    let mut best = Vec::new();
    for way in ways {
        let mut code = Vec::new();
        encode(way, &mut code, meter)?;
        if best.is_empty() || code.len() < best.len() {
            best = code;
        }
    }
    meter.written = written + best.len() as u64;
    output.write_all(&best).map_err(Fault::Write)
}

/// Threads with the memory that the dictionary leaves.
fn beside(dictionary: Option<Dictionary>, threads: Threads) -> Threads {
    let taken = dictionary.map_or(0, |dictionary| dictionary.level().dictionary() as u64);
    Threads { memory: threads.memory.saturating_sub(taken), ..threads }
}

/// Whether it has the suffix of compressed files.
pub(crate) fn has_suffix(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == SUFFIX)
}

/// The name of the result: with or without the suffix.
fn result_name(mode: Mode, name: &OsStr) -> Result<PathBuf, Trouble> {
    let path = Path::new(name);
    let with = |suffix: &str| {
        let mut result = OsString::from(name);
        result.push(".");
        result.push(suffix);
        Ok(result.into())
    };
    match (mode, has_suffix(path)) {
        (Mode::Explain, _) => with("html"),
        (Mode::Compress, true) => Err(Trouble::warning(
            "has the suffix .smx already, skipping (-c and -o compress it all the same)",
        )),
        (Mode::Compress, false) => with(SUFFIX),
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
