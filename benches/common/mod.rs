//! What the benches share.

use std::error::Error;
use std::fs;
use std::time::Instant;

use statesmix::Level;

pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

pub fn parse_level(text: &str) -> Result<Level> {
    Ok(Level::try_from(text.parse::<u8>()?)?)
}

/// `3`, `0-6` or `0,2,4-6`.
pub fn parse_levels(text: &str) -> Result<Vec<Level>> {
    let mut levels = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        for number in parse_level(first)?.number()..=parse_level(last)?.number() {
            levels.push(Level::try_from(number)?);
        }
    }
    Ok(levels)
}

/// CPU time, which neighbours on the machine disturb less than the clock.
pub struct Clock {
    clock: Instant,
    cpu: Option<u64>,
}

impl Clock {
    pub fn now() -> Self {
        Self { clock: Instant::now(), cpu: Self::cpu() }
    }

    /// Nanoseconds on the CPU since the process began.
    fn cpu() -> Option<u64> {
        fs::read_to_string("/proc/self/schedstat").ok()?.split(' ').next()?.parse().ok()
    }

    /// Nanoseconds.
    pub fn elapsed(&self) -> u64 {
        let cpu = self.cpu.and_then(|start| Some(Self::cpu()? - start));
        cpu.unwrap_or(self.clock.elapsed().as_nanos() as u64).max(1)
    }
}
