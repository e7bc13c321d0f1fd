//! A directory in which a test runs the command.
#![allow(dead_code)] // each test uses a part of it

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// The command.
pub const STATESMIX: &str = env!("CARGO_BIN_EXE_statesmix");

/// A directory to work in.
pub struct Place(TempDir);

impl Place {
    pub fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn put(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    pub fn get(&self, name: impl AsRef<Path>) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// The names in the directory, sorted.
    pub fn names(&self) -> Vec<String> {
        let names = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> =
            names.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    pub fn command<S: AsRef<OsStr>>(&self, args: &[S]) -> Command {
        let mut command = Command::new(STATESMIX);
        command.args(args).current_dir(self.0.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn run<S: AsRef<OsStr>>(&self, args: &[S]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs with success and without a word; returns its output.
    pub fn ok<S: AsRef<OsStr>>(&self, args: &[S]) -> Vec<u8> {
        let output = self.run(args);
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
        output.stdout
    }

    /// Fails with this exit code, no output, and a message with all of `words`.
    pub fn fails<S: AsRef<OsStr>>(&self, code: i32, args: &[S], words: &[&str]) {
        let output = self.run(args);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{message}");
        assert_eq!(text(&output.stdout), "");
        assert!(message.starts_with("statesmix: "), "{message}");
        words.iter().for_each(|word| assert!(message.contains(word), "{word:?} in {message:?}"));
    }

    /// Like [`Self::ok`], with something to read.
    pub fn pipe<S: AsRef<OsStr>>(&self, args: &[S], input: &[u8]) -> Vec<u8> {
        let output = self.pipe_any(args, input);
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
        output.stdout
    }

    pub fn pipe_any<S: AsRef<OsStr>>(&self, args: &[S], input: &[u8]) -> Output {
        let mut child = self.command(args).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        let writer = std::thread::spawn(move || {
            // It may have seen enough before the end.
            let _ = stdin.write_all(&input);
        });
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        output
    }
}

pub fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Something to compress.
pub fn sample(len: usize) -> Vec<u8> {
    let lines = (0..).flat_map(|i: u32| format!("line {i}, value {}\n", i * i % 977).into_bytes());
    lines.take(len).collect()
}
