//! The files of a directory and those below it.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::file::TEMPORARY;
use super::job::has_suffix;
use super::report::Trouble;

/// Walks through directories in the order of names. Links are not followed, and
/// only regular files are found.
#[derive(Debug)]
pub(crate) struct Walk {
    /// What is still to be looked at, the next one last.
    todo: Vec<PathBuf>,
    /// Whether files with the suffix of compressed ones are wanted, or others.
    compressed: bool,
}

impl Walk {
    /// What is in `directory`, which may be a link to one; compressed files only,
    /// or only others.
    pub(crate) fn new(directory: &Path, compressed: bool) -> Result<Self, Trouble> {
        let mut walk = Self { todo: Vec::new(), compressed };
        walk.open(directory).map_err(unreadable)?;
        Ok(walk)
    }

    fn wants(&self, path: &Path) -> bool {
        let temporary = path.file_name().is_some_and(|name| {
            name.as_encoded_bytes().starts_with(TEMPORARY.as_bytes()) // of another process
        });
        has_suffix(path) == self.compressed && !temporary
    }

    /// Takes what is in a directory to what is still to be looked at.
    fn open(&mut self, directory: &Path) -> io::Result<()> {
        let entries = fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.path()));
        let mut entries = entries.collect::<io::Result<Vec<_>>>()?;
        entries.sort_by(|a, b| b.cmp(a));
        self.todo.extend(entries);
        Ok(())
    }
}

impl Iterator for Walk {
    /// A file, or a directory that cannot be read.
    type Item = (OsString, Result<(), Trouble>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let path = self.todo.pop()?;
            let result = match fs::symlink_metadata(&path) {
                Ok(there) if there.is_file() && self.wants(&path) => Ok(()),
                Ok(there) if there.is_dir() => match self.open(&path) {
                    Ok(()) => continue,
                    Err(error) => Err(unreadable(error)),
                },
                Ok(_) => continue,
                Err(error) => Err(unreadable(error)),
            };
            return Some((path.into(), result));
        }
    }
}

fn unreadable(error: io::Error) -> Trouble {
    Trouble::error(format!("cannot be read: {error}"))
}
