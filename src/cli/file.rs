//! Inputs that are what they should be, and outputs that are there completely
//! or not at all.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::{Builder, NamedTempFile};

use super::report::{Trouble, printable, remedy};

/// What the names of temporary files begin with.
pub(crate) const TEMPORARY: &str = ".statesmix-";

/// What is read.
pub(crate) struct Input {
    pub(crate) reader: Box<dyn Read>,
    /// Of a regular file.
    pub(crate) metadata: Option<Metadata>,
}

/// Which files will do as input, apart from regular ones.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accept {
    pub(crate) links: bool,
    pub(crate) devices: bool,
    pub(crate) terminal: bool,
}

impl Input {
    pub(crate) fn open(name: &OsStr, accept: Accept) -> Result<Self, Trouble> {
        if name == "-" {
            if io::stdin().is_terminal() && !accept.terminal {
                return Err(Trouble::error(
                    "compressed data is not read from a terminal (name a file, or redirect)",
                ));
            }
            return Ok(Self { reader: Box::new(io::stdin().lock()), metadata: None });
        }
        let cannot = |error| Trouble::error(format!("cannot open: {error}"));
        // Looked at before it is opened, for that may block with a named pipe.
        if fs::symlink_metadata(name).map_err(cannot)?.is_symlink() && !accept.links {
            return Err(Trouble::warning("is a symbolic link, skipping (-f follows it)"));
        }
        let kind = fs::metadata(name).map_err(cannot)?.file_type();
        if kind.is_dir() {
            return Err(Trouble::warning(
                "is a directory, skipping (-r takes the files in it; tar makes one of it)",
            ));
        }
        if !kind.is_file() && !accept.devices {
            return Err(Trouble::warning("is not a regular file, skipping (-c reads it)"));
        }
        let file = File::open(name).map_err(cannot)?;
        let metadata = file.metadata().map_err(cannot)?;
        let metadata = metadata.is_file().then_some(metadata);
        Ok(Self { reader: Box::new(file), metadata })
    }

    /// Bytes of a regular file.
    pub(crate) fn len(&self) -> Option<u64> {
        self.metadata.as_ref().map(Metadata::len)
    }

    /// Removes the file, if it is still what was read: a log may have been
    /// rotated or written to meanwhile.
    pub(crate) fn remove(self, name: &OsStr) -> Result<(), Trouble> {
        let Some(then) = self.metadata else {
            return Ok(());
        };
        drop(self.reader); // Windows removes no open file.
        let cannot = |error| Trouble::error(format!("done, but cannot be removed: {error}"));
        if !unchanged(&then, &fs::metadata(name).map_err(cannot)?) {
            return Err(Trouble::error("has changed since it was read, not removed (check both)"));
        }
        fs::remove_file(name).map_err(cannot)
    }
}

fn unchanged(then: &Metadata, now: &Metadata) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        if (then.dev(), then.ino()) != (now.dev(), now.ino()) {
            return false;
        }
    }
    then.len() == now.len() && then.modified().ok() == now.modified().ok()
}

/// What is written.
pub(crate) enum Output {
    Nowhere(io::Sink),
    Stdout(io::StdoutLock<'static>),
    /// A device or named pipe, which is not to be replaced by a file.
    Device(File),
    Partial(Partial),
}

impl Output {
    /// A file at `path`. It replaces what is there only if `force`.
    pub(crate) fn file(
        path: PathBuf,
        source: Option<&Metadata>,
        force: bool,
    ) -> Result<Self, Trouble> {
        let shown = printable(path.as_os_str());
        match fs::metadata(&path) {
            Ok(there) if there.is_dir() => {
                return Err(Trouble::error(format!("{shown} is a directory (use -o)")));
            }
            Ok(there) if !there.is_file() => {
                if !force && is_disk(&there) {
                    return Err(exists(&path));
                }
                let file = File::options().write(true).open(&path);
                return file
                    .map(Self::Device)
                    .map_err(|error| Trouble::error(format!("cannot open {shown}: {error}")));
            }
            _ => {}
        }
        if !force && fs::symlink_metadata(&path).is_ok() {
            return Err(exists(&path));
        }
        Partial::new(path, source, force).map(Self::Partial)
    }

    pub(crate) fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Nowhere(sink) => sink,
            Self::Stdout(stdout) => stdout,
            Self::Device(file) => file,
            Self::Partial(partial) => partial.file.as_file_mut(),
        }
    }

    /// Makes the output final. Without this it disappears as far as it can.
    pub(crate) fn commit(self, source: Option<&Metadata>) -> Result<(), Trouble> {
        match self {
            Self::Nowhere(_) => Ok(()),
            // A disk keeps what is written in memory for a while.
            Self::Device(file) => sync(&file).map_err(|error| Trouble::write("the output", &error)),
            Self::Stdout(mut stdout) => {
                stdout.flush().map_err(|error| Trouble::write("(stdout)", &error))
            }
            Self::Partial(partial) => partial.commit(source),
        }
    }
}

/// Whether it is a block device, which holds data as a file does.
#[cfg(unix)]
fn is_disk(metadata: &Metadata) -> bool {
    std::os::unix::fs::FileTypeExt::is_block_device(&metadata.file_type())
}

#[cfg(not(unix))]
fn is_disk(_: &Metadata) -> bool {
    false
}

fn exists(path: &Path) -> Trouble {
    Trouble::error(format!("{} exists already (-f overwrites it)", printable(path.as_os_str())))
}

/// The temporary file that must not outlive the process. Locked while that is
/// about to change.
static UNFINISHED: Mutex<Option<PathBuf>> = Mutex::new(None);

fn unfinished() -> MutexGuard<'static, Option<PathBuf>> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A file being written under a temporary name.
pub(crate) struct Partial {
    file: NamedTempFile,
    path: PathBuf,
    force: bool,
}

impl Partial {
    fn new(path: PathBuf, source: Option<&Metadata>, force: bool) -> Result<Self, Trouble> {
        let mut builder = Builder::new();
        // Not longer for a long name, which may be as long as names can be.
        builder.prefix(TEMPORARY);
        // Until a file that might be private has the mode of its source it is
        // readable to nobody else.
        #[cfg(unix)]
        if source.is_none() {
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let mut unfinished = unfinished();
        let file = builder.tempfile_in(directory(&path)).map_err(|error| {
            let (path, kind) = (printable(path.as_os_str()), error.kind());
            Trouble::error(format!("cannot create {path}: {kind}{}", remedy(kind)))
        })?;
        *unfinished = Some(file.path().to_owned());
        Ok(Self { file, path, force })
    }

    fn commit(self, source: Option<&Metadata>) -> Result<(), Trouble> {
        let Self { file, path, force } = self;
        let cannot = |error: &io::Error| Trouble::write(&printable(path.as_os_str()), error);
        if let Some(source) = source {
            keep_metadata(file.as_file(), source);
        }
        file.as_file().sync_all().map_err(|error| cannot(&error))?;
        let mut unfinished = unfinished();
        let result = if force { file.persist(&path) } else { file.persist_noclobber(&path) };
        *unfinished = None;
        drop(unfinished);
        let file = result.map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => exists(&path),
            _ => cannot(&error.error),
        })?;
        sync_name(&file, directory(&path)).map_err(|error| cannot(&error))
    }
}

/// The directory of a file.
fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Gives `file` the owner, mode and times of its source. As far as possible:
/// others' files and some file systems do not allow all of that, and the data
/// matters more.
fn keep_metadata(file: &File, source: &Metadata) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
        let _ = fchown(file, Some(source.uid()), None);
        let mut mode = source.mode() & 0o777;
        if fchown(file, None, Some(source.gid())).is_err() {
            // The group is another one: it and the rest get what both had.
            let both = mode >> 3 & mode & 0o7;
            mode = mode & 0o700 | both << 3 | both;
        }
        let _ = file.set_permissions(fs::Permissions::from_mode(mode));
    }
    if let (Ok(modified), Ok(accessed)) = (source.modified(), source.accessed()) {
        let times = fs::FileTimes::new().set_modified(modified).set_accessed(accessed);
        let _ = file.set_times(times);
    }
}

/// Makes the new name of `file` in a directory survive a power cut.
#[cfg(unix)]
fn sync_name(file: &File, directory: &Path) -> io::Result<()> {
    match File::open(directory) {
        Ok(directory) => sync(&directory),
        // It may be writable and not readable. Most file systems write a new
        // name with the file.
        Err(_) => sync(file),
    }
}

#[cfg(not(unix))]
fn sync_name(_: &File, _: &Path) -> io::Result<()> {
    Ok(())
}

/// Waits until all is on the disk, if it is something of that kind.
fn sync(file: &File) -> io::Result<()> {
    match file.sync_all() {
        // Not every device and not every file system can.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        result => result,
    }
}

/// Sees to it that the temporary file is removed when a signal or a panic ends
/// the process.
pub(crate) fn clean_up_when_killed() -> io::Result<()> {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        if let Ok(unfinished) = UNFINISHED.try_lock() {
            remove(&unfinished);
        }
    }));
    #[cfg(unix)]
    {
        use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXCPU, SIGXFSZ};
        use signal_hook::{iterator::Signals, low_level::emulate_default_handler};
        let ignored = ignored_signals();
        let deadly = [SIGHUP, SIGINT, SIGTERM, SIGXCPU, SIGXFSZ];
        let deadly = deadly.into_iter().filter(|signal| ignored >> (signal - 1) & 1 == 0);
        let mut signals = Signals::new(deadly)?;
        std::thread::Builder::new().spawn(move || {
            for signal in signals.forever() {
                // Held to the end, so that no other file begins.
                let unfinished = unfinished();
                remove(&unfinished);
                let _ = emulate_default_handler(signal);
            }
        })?;
    }
    Ok(())
}

fn remove(unfinished: &Option<PathBuf>) {
    if let Some(path) = unfinished {
        let _ = fs::remove_file(path);
    }
}

/// The signals that the parent wants ignored, as nohup does with SIGHUP: a bit
/// each, signal 1 lowest. Where that cannot be found out, SIGHUP.
#[cfg(unix)]
fn ignored_signals() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(1)
}
