//! The `statesmix` command. All coding is done by the library; here are file
//! names, messages and exit codes, and inner loops for some processors.
#![deny(unsafe_code)]

mod cli;
#[cfg(target_arch = "x86_64")]
mod simd;

fn main() -> std::process::ExitCode {
    #[cfg(target_arch = "x86_64")]
    simd::install();
    cli::main()
}
