//! The report on a demonstration.

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
    /// How many bytes the proxy sent to the client.
    pub(crate) crossed: u64,
    pub(crate) took: Duration,
    /// The SHA-256 of the bytes that were served, and of those that arrived.
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
        self.write_setting(f)?;
        writeln!(f, "requests:     {}", self.requests)?;
        writeln!(f, "cuts:         {}", self.cuts)?;
        writeln!(f, "resumptions:  {}", self.resumptions)?;
        self.write_crossed(f)?;
        let rate = rate(self.bytes, self.took);
        writeln!(f, "time:         {:.1?}, {rate}", self.took)?;
        if let Some(peak) = peak_memory() {
            writeln!(f, "memory:       {peak} at most, server and proxy included")?;
        }
        writeln!(f, "served:       SHA-256 {}", self.served)?;
        writeln!(f, "arrived:      SHA-256 {}", self.arrived)?;
        let is = if self.is_equal() { "is" } else { "is NOT" };
        writeln!(f, "what arrived {is} what was served")
    }
}

impl Report {
    fn write_setting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bytes, seed) = (BinaryBytes(self.bytes), self.seed);
        let (from, to) = self.proxy_cuts.clone().into_inner();
        let (from, to) = (BinaryBytes(from), BinaryBytes(to));
        writeln!(
            f,
            "{bytes} of pseudo-random bytes (seed {seed}), through a proxy"
        )?;
        writeln!(f, "that cuts each connection after {from} to {to}")
    }

    /// Bytes that crossed beyond the length of the file were read twice, except for the heads of the
    /// responses. Bytes that the proxy read and dropped when it cut a connection did not cross.
    fn write_crossed(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bytes, crossed) = (self.bytes, self.crossed);
        let beyond = crossed.saturating_sub(bytes);
        let share = beyond as f64 * 100.0 / bytes as f64;
        writeln!(
            f,
            "crossed:      {crossed} bytes from the proxy to the client"
        )?;
        write!(
            f,
            "read twice:   {share:.4} % at most: {beyond} bytes crossed "
        )?;
        writeln!(f, "beyond the file's {bytes}, heads included")
    }
}

/// The peak memory of this process, as reported by Linux.
fn peak_memory() -> Option<String> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().to_owned())
}
