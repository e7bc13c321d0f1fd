//! From the command line to the exit code.

mod args;
mod codec;
mod file;
mod job;
mod list;
mod report;

use std::io::{self, Write};
use std::process::ExitCode;

use args::{Args, Command, HELP};
use job::Job;
use report::{Reporter, Trouble};

pub(crate) fn main() -> ExitCode {
    let args = match args::parse(std::env::args_os()) {
        Ok(Command::Run(args)) => args,
        Ok(Command::Help) => return print(HELP),
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
    let mut job = Job::new(args);
    for name in &args.files {
        if let Err(trouble) = job.run(name) {
            let nobody_listens = matches!(trouble, Trouble::ClosedPipe);
            reporter.tell(Some(name), trouble);
            if nobody_listens {
                return reporter.exit_code();
            }
        }
    }
    if let Err(trouble) = job.finish() {
        reporter.tell(None, trouble);
    }
    reporter.exit_code()
}

fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => Reporter::new(0).exit(Trouble::write("(stdout)", &error)),
    }
}
