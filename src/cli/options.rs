//! The one definition of the options, from which come the parser, the help
//! text, the man page and the completions.
//!
//! Texts are paragraphs of words, which each reader breaks into lines as it
//! likes; lines that begin with two spaces stay as they are.

/// What an option means; [`super::args`] gives it its effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Id {
    Compress,
    Decompress,
    Test,
    List,
    Bench,
    BenchTo,
    Explain,
    Train,
    TrainFiles,
    Level,
    Threads,
    FrameSize,
    Dictionary,
    Filter,
    NoPretraining,
    NoCheck,
    Stdout,
    Output,
    Keep,
    Remove,
    Force,
    Recursive,
    MemLimit,
    MemLimitCompress,
    MemLimitDecompress,
    MaxOutput,
    Json,
    Quiet,
    Verbose,
    Generate,
    Help,
    Version,
}

/// The value of an option, under the name that the texts give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    Nothing,
    Value(&'static str),
    /// Only if it is attached, as in -b1.
    Attached(&'static str),
    File,
    OneOf(&'static [&'static str]),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Opt {
    pub(crate) id: Id,
    /// Letters; several ones only for the digits of the levels.
    pub(crate) short: &'static str,
    /// Names; the texts show the first one.
    pub(crate) long: &'static [&'static str],
    pub(crate) takes: Takes,
    /// Whether it may stand in the environment: a default that is not dangerous
    /// where nobody thinks of it.
    pub(crate) env: bool,
    pub(crate) help: &'static str,
}

impl Opt {
    /// What this is and which names it has; it takes nothing, and does not stand
    /// in the environment.
    const fn new(
        id: Id,
        short: &'static str,
        long: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self { id, short, long, takes: Takes::Nothing, env: false, help }
    }

    const fn takes(self, takes: Takes) -> Self {
        Self { takes, ..self }
    }

    const fn env(self) -> Self {
        Self { env: true, ..self }
    }

    /// As the texts show it: `-o, --output=FILE`.
    pub(crate) fn usage(&self) -> String {
        let mut names = Vec::new();
        match self.short.len() {
            0 => {}
            1 => names.push(format!("-{}", self.short)),
            n => names.push(format!("-{} ... -{}", &self.short[..1], &self.short[n - 1..])),
        }
        names.extend(self.long.first().map(|long| format!("--{long}")));
        let equals = if self.long.is_empty() { "" } else { "=" };
        let value = match self.takes {
            Takes::Nothing => String::new(),
            Takes::Value(name) => format!("{equals}{name}"),
            Takes::Attached(name) => format!("[{equals}{name}]"),
            Takes::File => format!("{equals}FILE"),
            Takes::OneOf(words) => format!("{equals}{}", words.join("|")),
        };
        names.join(", ") + &value
    }

    /// The first words of its text, up to the first stop.
    pub(crate) fn summary(&self) -> &'static str {
        let stops = ["; ", ". ", ": "];
        let end = stops.into_iter().filter_map(|stop| self.help.find(stop)).min();
        &self.help[..end.unwrap_or(self.help.len())]
    }
}

/// A short option by its letter.
pub(crate) fn short(letter: char) -> Option<&'static Opt> {
    all().find(|option| option.short.contains(letter))
}

/// A long option by its name.
pub(crate) fn long(name: &str) -> Option<&'static Opt> {
    all().find(|option| option.long.contains(&name))
}

pub(crate) fn all() -> impl Iterator<Item = &'static Opt> {
    GROUPS.iter().flat_map(|group| group.1)
}

/// The options, under headings.
pub(crate) const GROUPS: &[(&str, &[Opt])] = &[
    (
        "What to do (the last one counts)",
        &[
            Opt::new(Id::Compress, "z", &["compress"], "compress; this is the default"),
            Opt::new(
                Id::Decompress,
                "d",
                &["decompress", "uncompress"],
                "decompress FILE.smx to FILE",
            ),
            Opt::new(Id::Test, "t", &["test"], "decompress to nowhere: is FILE intact?"),
            Opt::new(
                Id::List,
                "l",
                &["list"],
                "show levels, memory, sizes, ratio and so on; see below",
            ),
            Opt::new(
                Id::Bench,
                "b",
                &["bench"],
                "benchmark: compress and decompress each FILE in memory, at the level LEVEL, and \
                 print a line with sizes, ratio and speeds; the level is otherwise that of \
                 -0 ... -9",
            )
            .takes(Takes::Attached("LEVEL")),
            Opt::new(
                Id::BenchTo,
                "e",
                &["bench-to"],
                "with -b, benchmark all levels from that of -b up to this one, as in -b1 -e5",
            )
            .takes(Takes::Value("LEVEL")),
            Opt::new(
                Id::Explain,
                "",
                &["explain"],
                "write a page FILE.html for a web browser: where in FILE the bits go, at several \
                 levels; see below",
            ),
            Opt::new(
                Id::Train,
                "",
                &["train"],
                "make a dictionary for small messages, of the level -0 ... -9, and write it to the \
                 file of -o: each line of each FILE is a message; see below",
            ),
            Opt::new(Id::TrainFiles, "", &["train-files"], "the same, but each FILE is a message"),
        ],
    ),
    (
        "How to compress",
        &[
            Opt::new(
                Id::Level,
                "0123456789",
                &[],
                "level; the default is -6. Decompressing takes the same memory, and about the \
                 same time, as compressing:\n\
                 \n\
                 \x20 -0 8 KiB    -1 32 KiB   -2 128 KiB  -3 512 KiB  -4 2 MiB\n\
                 \x20 -5 8 MiB    -6 32 MiB   -7 128 MiB  -8 512 MiB  -9 2 GiB\n\
                 \n\
                 The program itself takes a few MiB more.",
            )
            .env(),
            Opt::new(
                Id::Threads,
                "T",
                &["threads"],
                "use N threads, 0 for as many as there are processor cores; see below. For \
                 compressing this implies --frame-size, for a frame is the work of one thread",
            )
            .takes(Takes::Value("N"))
            .env(),
            Opt::new(
                Id::FrameSize,
                "",
                &["frame-size"],
                "compress each SIZE of content into a frame of its own, from 4 KiB to 256 MiB. \
                 The default with -T is 1 MiB up to -2, 4 MiB up to -4, 16 MiB up to -6, then \
                 64 MiB; without -T it is one frame for all",
            )
            .takes(Takes::Value("SIZE"))
            .env(),
            Opt::new(
                Id::Dictionary,
                "D",
                &["dictionary"],
                "begin with this dictionary, whose level is then the one used; decompressing \
                 needs it too",
            )
            .takes(Takes::File),
            Opt::new(
                Id::Filter,
                "",
                &["filter"],
                "make machine code more alike, for this kind of processor; or unpack what is \
                 packed with deflate, from level 6 on; or put numbers for English words, from \
                 level 3 on; the last two in one frame. The default, auto, takes what suits",
            )
            .takes(Takes::OneOf(&[
                "auto", "none", "x86", "x86-64", "arm", "thumb", "arm64", "riscv", "deflate",
                "words",
            ]))
            .env(),
            Opt::new(
                Id::NoPretraining,
                "",
                &["no-pretraining"],
                "begin with a model that knows nothing, and no words of English either. \
                 Otherwise, from -6 on and without a dictionary, what looks like text begins \
                 with one that has read a text built into the program; so does each frame from \
                 a --frame-size of 64 KiB on, and a short FILE of another kind where that helps",
            )
            .env(),
            Opt::new(
                Id::NoCheck,
                "",
                &["no-check"],
                "leave out the CRC-32 of the content (4 bytes a frame), by which damage is noticed",
            )
            .env(),
        ],
    ),
    (
        "Where it goes",
        &[
            Opt::new(Id::Stdout, "c", &["stdout", "to-stdout"], "write to standard output"),
            Opt::new(Id::Output, "o", &["output"], "write to this file; for one input only")
                .takes(Takes::File),
            Opt::new(Id::Keep, "k", &["keep"], "keep the input; this is the default"),
            Opt::new(
                Id::Remove,
                "",
                &["rm"],
                "remove each input once its output is safely on the disk, unless it has changed \
                 meanwhile",
            ),
            Opt::new(
                Id::Force,
                "f",
                &["force"],
                "overwrite existing outputs; follow symbolic links; with -c, write compressed \
                 data even to a terminal",
            ),
            Opt::new(
                Id::Recursive,
                "r",
                &["recursive"],
                "take a FILE that is a directory for all files in it and below, when \
                 compressing those that do not end in .smx, else those that do",
            ),
        ],
    ),
    (
        "Limits and messages",
        &[
            Opt::new(Id::MemLimit, "M", &["memlimit"], "both of the following")
                .takes(Takes::Value("SIZE"))
                .env(),
            Opt::new(
                Id::MemLimitCompress,
                "",
                &["memlimit-compress"],
                "refuse a level that needs more memory than SIZE to compress, not counting the \
                 few MiB of the program, and use only as many threads as SIZE suffices for. SIZE \
                 is a number of bytes, or has one of the suffixes KiB, MiB and GiB (also K, M, \
                 G). 0 and max mean no limit, the default",
            )
            .takes(Takes::Value("SIZE"))
            .env(),
            Opt::new(
                Id::MemLimitDecompress,
                "",
                &["memlimit-decompress"],
                "refuse what needs more memory than SIZE to decompress, and use only as many \
                 threads as SIZE suffices for",
            )
            .takes(Takes::Value("SIZE"))
            .env(),
            Opt::new(
                Id::MaxOutput,
                "",
                &["max-output"],
                "give up an input that decompresses to more than SIZE: a file of 2 KB can hold \
                 40 MB of zeros",
            )
            .takes(Takes::Value("SIZE"))
            .env(),
            Opt::new(Id::Json, "", &["json"], "with -l, write JSON instead of a table"),
            Opt::new(
                Id::Quiet,
                "q",
                &["quiet"],
                "no warnings, no progress bar; twice: no errors either",
            )
            .env(),
            Opt::new(
                Id::Verbose,
                "v",
                &["verbose"],
                "a line about each file done; with -l, about each frame",
            )
            .env(),
            Opt::new(
                Id::Generate,
                "",
                &["generate"],
                "print the man page, or the completions of a shell",
            )
            .takes(Takes::OneOf(&["man", "bash", "zsh", "fish"])),
            Opt::new(Id::Help, "h", &["help"], "this text"),
            Opt::new(Id::Version, "V", &["version"], "the version"),
        ],
    ),
];
