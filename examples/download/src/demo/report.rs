//! What became of a demonstration.

use std::fmt;
use std::fs;
use std::ops::RangeInclusive;
use std::time::Duration;

use indicatif::BinaryBytes;

use crate::progress::rate;

pub(crate) struct Report {
    pub(crate) seed: u64,
    /// The length of the file.
    pub(crate) bytes: u64,
    pub(crate) proxy_cuts: RangeInclusive<u64>,
    pub(crate) requests: u32,
    pub(crate) resumptions: u32,
    pub(crate) cuts: u32,
    /// How many bytes came to the client's connections.
    pub(crate) crossed: u64,
    pub(crate) took: Duration,
    /// SHA-256 of what was served, and of what arrived.
    pub(crate) served: String,
    pub(crate) arrived: String,
}

impl Report {
    pub(crate) fn is_equal(&self) -> bool {
        self.served == self.arrived
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = self.proxy_cuts.clone().into_inner();
        let beyond = self.crossed.saturating_sub(self.bytes);
        let share = beyond as f64 * 100.0 / self.bytes as f64;
        writeln!(
            f,
            "{} of pseudo-random bytes (seed {}), through a proxy that cuts each connection after {} to {}",
            BinaryBytes(self.bytes),
            self.seed,
            BinaryBytes(from),
            BinaryBytes(to),
        )?;
        writeln!(f, "requests:     {}", self.requests)?;
        writeln!(f, "cuts:         {}", self.cuts)?;
        writeln!(f, "resumptions:  {}", self.resumptions)?;
        writeln!(
            f,
            "crossed:      {} bytes from the proxy to the client",
            self.crossed
        )?;
        writeln!(
            f,
            "read twice:   {share:.4} % at most: {beyond} bytes crossed beyond the file's {}, heads included",
            self.bytes
        )?;
        writeln!(
            f,
            "time:         {:.1?}, {}",
            self.took,
            rate(self.bytes, self.took)
        )?;
        if let Some(peak) = peak_memory() {
            writeln!(f, "memory:       {peak} at most, server and proxy included")?;
        }
        writeln!(f, "served:       SHA-256 {}", self.served)?;
        writeln!(f, "arrived:      SHA-256 {}", self.arrived)?;
        writeln!(
            f,
            "{}",
            match self.is_equal() {
                true => "what arrived is what was served",
                false => "what arrived is NOT what was served",
            }
        )
    }
}

/// The most that this process had in memory, as Linux says it.
fn peak_memory() -> Option<String> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().to_owned())
}
