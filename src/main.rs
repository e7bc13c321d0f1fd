//! The `statesmix` command. All coding is done by the library; here are file
//! names, messages and exit codes.
#![forbid(unsafe_code)]

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
