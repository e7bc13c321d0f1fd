//! From the command line to the exit code.

mod args;
mod bench;
mod codec;
mod dictionary;
mod explain;
mod file;
mod frames;
mod job;
mod list;
mod manual;
mod options;
mod pool;
mod report;
mod walk;

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;

use args::{Args, Command};
use job::Job;
use report::{Reporter, Trouble};
use statesmix::Dictionary;
use walk::Walk;

pub(crate) fn main() -> ExitCode {
    let args = match args::parse_own() {
        Ok(Command::Run(args)) => args,
        Ok(Command::Help) => return print(&manual::help()),
        Ok(Command::Generate(what)) => return print(&manual::generate(what)),
        Ok(Command::Version) => {
            return print(concat!("statesmix ", env!("CARGO_PKG_VERSION"), "\n"));
        }
        Err(message) => {
            let usage = Trouble::error(format!("{message} (see statesmix --help)"));
            return Reporter::new(0).exit(usage);
        }
    };
    run(&args)
}

fn run(args: &Args) -> ExitCode {
    let mut reporter = Reporter::new(args.quiet);
    if let Err(error) = file::clean_up_when_killed() {
        return reporter.exit(Trouble::error(format!("cannot watch for signals: {error}")));
    }
    let bytes = match args.dictionary.as_ref().map(|name| dictionary::load(name, args)) {
        Some(Err(trouble)) => {
            reporter.tell(args.dictionary.as_deref(), trouble);
            return reporter.exit_code();
        }
        Some(Ok(bytes)) => Some(bytes),
        None => None,
    };
    // It was checked when it was loaded.
    let dictionary = bytes.as_ref().and_then(|bytes| Dictionary::new(bytes).ok());
    let mut job = Job::new(args, dictionary);
    for name in &args.files {
        let done = if args.recursive && is_directory(name, args.force) {
            match Walk::new(name.as_ref(), !args.mode.reads_any()) {
                Ok(mut files) => files.try_for_each(|(name, found)| {
                    let result = found.and_then(|()| job.run(&name));
                    reporter.tell_result(&name, result)
                }),
                Err(trouble) => reporter.tell_result(name, Err(trouble)),
            }
        } else {
            reporter.tell_result(name, job.run(name))
        };
        if done.is_break() {
            return reporter.exit_code();
        }
    }
    if let Err(trouble) = job.finish() {
        reporter.tell(None, trouble);
    }
    reporter.exit_code()
}

/// Whether it is a directory, or a link to one if links are followed.
fn is_directory(name: &OsStr, follow: bool) -> bool {
    let there = if follow { fs::metadata(name) } else { fs::symlink_metadata(name) };
    there.is_ok_and(|there| there.is_dir())
}

fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => Reporter::new(0).exit(Trouble::write("(stdout)", &error)),
    }
}
