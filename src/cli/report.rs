//! What the user gets to see while it runs: messages, progress, exit code.

use std::ffi::OsStr;
use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use indicatif::{BinaryBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Why a file was not done, or not as expected.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// Left alone for a reason: exit code 2.
    Warning(String),
    /// Failed: exit code 1.
    Error(String),
    /// The reader of our output has gone. Nobody wants a message about that.
    ClosedPipe,
}

impl Trouble {
    pub(crate) fn error(message: impl Into<String>) -> Self {
        Self::Error(message.into())
    }

    pub(crate) fn warning(message: impl Into<String>) -> Self {
        Self::Warning(message.into())
    }

    /// Writing to `what` has failed.
    pub(crate) fn write(what: &str, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::ClosedPipe,
            _ => Self::Error(format!("cannot write {what}: {error}{}", remedy(error.kind()))),
        }
    }
}

/// What can be done where a file cannot be written, in brackets.
pub(crate) fn remedy(kind: io::ErrorKind) -> &'static str {
    use io::ErrorKind;
    match kind {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            " (make room, or write elsewhere with -o or -c)"
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem | ErrorKind::FileTooLarge => {
            " (write elsewhere with -o or -c)"
        }
        _ => "",
    }
}

/// Writes messages and keeps the worst of what has happened.
#[derive(Debug)]
pub(crate) struct Reporter {
    quiet: u8,
    warnings: bool,
    errors: bool,
}

impl Reporter {
    pub(crate) const fn new(quiet: u8) -> Self {
        Self { quiet, warnings: false, errors: false }
    }

    pub(crate) fn tell(&mut self, name: Option<&OsStr>, trouble: Trouble) {
        let (message, shown) = match trouble {
            Trouble::Warning(message) => {
                self.warnings = true;
                (message, self.quiet == 0)
            }
            Trouble::Error(message) => {
                self.errors = true;
                (message, self.quiet < 2)
            }
            Trouble::ClosedPipe => {
                self.errors = true;
                return;
            }
        };
        if shown {
            match name {
                Some(name) => say(&format!("{}: {message}", printable(name))),
                None => say(&message),
            }
        }
    }

    /// Tells of what became of a file; breaks if nobody listens any more.
    pub(crate) fn tell_result(
        &mut self,
        name: &OsStr,
        result: Result<(), Trouble>,
    ) -> ControlFlow<()> {
        let Err(trouble) = result else {
            return ControlFlow::Continue(());
        };
        let nobody_listens = matches!(trouble, Trouble::ClosedPipe);
        self.tell(Some(name), trouble);
        if nobody_listens { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// For the trouble that ends the program before it has begun.
    pub(crate) fn exit(mut self, trouble: Trouble) -> ExitCode {
        self.tell(None, trouble);
        self.exit_code()
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match (self.errors, self.warnings) {
            (true, _) => ExitCode::from(1),
            (false, true) => ExitCode::from(2),
            (false, false) => ExitCode::SUCCESS,
        }
    }
}

/// A line on stderr. Not `eprintln!`, which panics when stderr is closed.
pub(crate) fn say(message: &str) {
    let name = bold("statesmix:", io::stderr().is_terminal());
    let _ = writeln!(io::stderr(), "{name} {message}");
}

/// Text in bold, for a terminal that may be asked for that.
pub(crate) fn bold(text: &str, terminal: bool) -> String {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || std::env::var_os("TERM").is_none_or(|value| value == "dumb");
    if terminal && !plain { format!("\x1b[1m{text}\x1b[0m") } else { text.into() }
}

/// A file name as it can be shown on a terminal without controlling it.
pub(crate) fn printable(name: &OsStr) -> String {
    match name.as_encoded_bytes() {
        b"-" => "(stdin)".into(),
        _ => name.to_string_lossy().replace(char::is_control, "?"),
    }
}

/// 64 KiB, 2 GiB, 1.5 MiB.
pub(crate) fn size(bytes: u64) -> String {
    let units = ["GiB", "MiB", "KiB"].into_iter().zip([30, 20, 10]);
    match units.into_iter().find(|(_, log2)| bytes >> log2 > 0) {
        None => format!("{bytes} B"),
        Some((unit, log2)) if bytes.is_multiple_of(1 << log2) => {
            format!("{} {unit}", bytes >> log2)
        }
        Some((unit, log2)) => format!("{:.1} {unit}", bytes as f64 / f64::from(1 << log2)),
    }
}

/// Counts the bytes of one file, and shows them in a progress bar if that
/// takes longer than a moment.
#[derive(Debug)]
pub(crate) struct Meter {
    start: Instant,
    bar: ProgressBar,
    /// Whether the bar is still to be shown.
    waiting: bool,
    pub(crate) read: u64,
    pub(crate) written: u64,
}

impl Meter {
    const MOMENT: Duration = Duration::from_secs(1);

    /// `total` is the number of bytes that will be read, if that is known.
    pub(crate) fn new(name: &OsStr, total: Option<u64>, quiet: bool) -> Self {
        let style = match total {
            Some(_) => "{prefix} [{wide_bar}] {percent}% {msg}, {eta} left",
            None => "{prefix} {spinner} {bytes} read, {msg}, {elapsed}",
        };
        let style = ProgressStyle::with_template(style).expect("the template is right");
        // Hidden at first; it learns the rate all the same.
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden())
            .with_style(style.progress_chars("=> "))
            .with_prefix(printable(name));
        Self { start: Instant::now(), bar, waiting: !quiet, read: 0, written: 0 }
    }

    /// To be called now and then. `done` is the number of bytes of the input
    /// that are over with, `content` that of bytes on the uncompressed side.
    pub(crate) fn tick(&mut self, done: u64, content: u64) {
        if self.waiting && self.start.elapsed() >= Self::MOMENT {
            // Draws on a terminal only.
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
            self.waiting = false;
        }
        if !self.bar.is_hidden() {
            self.bar.set_message(self.rate(content));
        }
        self.bar.set_position(done);
    }

    /// Bytes a second.
    pub(crate) fn rate(&self, content: u64) -> String {
        let rate = content as f64 / self.start.elapsed().as_secs_f64().max(1e-3);
        format!("{}/s", BinaryBytes(rate as u64))
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
