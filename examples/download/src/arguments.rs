//! The arguments of the program. A wrong argument ends it with status 2 and a message that names
//! the argument.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser};
use http::Uri;
use humantime::parse_duration;
use tower_http_retry::{Backoff, ResumeLayer, RetryLayer};

use crate::size::parse_size;

const AFTER_HELP: &str = "\
Durations are written like 100ms, 10s, 5m, 1h30m; sizes like 4096, 64KiB, 8MiB, 1GiB.

The body is written to a new file next to FILE, which is renamed to FILE when it is whole. An existing FILE
is replaced then, and is left unchanged if the download fails. It must be a regular file.

A response can be resumed if its length is known and it has a strong ETag, or a Last-Modified that is older
than its Date. Without such a validator, it can be resumed only with --verify-prefix. Any other response is
downloaded, too, but the download fails if it breaks off. A response whose end is marked only by the end of
its connection is rejected, because it may not be whole.

Exit status: 0 if FILE is whole, 22 for a status that is not 200, 7 if no response came, 18 for a body
that could not be completed, or may not be whole, 23 for a file that cannot be written, 2 for wrong
arguments, 130 after Ctrl-C; with --demo, 1 if the bytes that arrived differ from those that were served.";

/// Downloads a file, and resumes it where the connection breaks off.
#[derive(Debug, Parser)]
#[command(name = "download", version, after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    /// The URL to download, which starts with http:// and a host
    #[arg(value_parser = parse_url, required_unless_present = "demo")]
    pub(crate) url: Option<Uri>,

    /// The file to write; an existing file is replaced at the end
    #[arg(required_unless_present = "demo")]
    pub(crate) file: Option<PathBuf>,

    /// Print nothing but errors
    #[arg(short, long)]
    pub(crate) quiet: bool,

    #[command(flatten)]
    pub(crate) transfer: TransferArguments,

    #[command(flatten)]
    pub(crate) demo: DemoArguments,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Resumptions and retries")]
pub(crate) struct TransferArguments {
    /// How many times to resume without progress in between [default: 5]
    #[arg(long, value_name = "N")]
    max_resumes: Option<u32>,

    /// How long after the first response resumptions may begin [default: no limit]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    window: Option<Duration>,

    /// How long to wait for the first bytes of a response, and for each further piece of it
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = parse_duration)]
    idle_timeout: Duration,

    /// Also resume responses without a validator: download the first part again and compare it, if
    /// it is not longer than this [default size: 64MiB]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "64MiB")]
    verify_prefix: Option<u64>,

    /// The maximum number of retries of each request [default: 5]
    #[arg(long, value_name = "N")]
    max_retries: Option<u32>,

    /// The wait before the first retry, and before the second resumption without progress, doubled
    /// for each further one [default: 1s]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    base: Option<Duration>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Demonstration")]
pub(crate) struct DemoArguments {
    /// Download from a built-in server, through a proxy that cuts each connection
    #[arg(long, conflicts_with_all = ["url", "file"])]
    pub(crate) demo: bool,

    /// How much to download
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = parse_size)]
    #[arg(conflicts_with_all = ["url", "file"])]
    pub(crate) demo_bytes: u64,

    /// The number of bytes after which connections are cut
    #[arg(long, value_name = "SIZE..SIZE", default_value = "1MiB..8MiB", value_parser = parse_cuts)]
    #[arg(conflicts_with_all = ["url", "file"])]
    pub(crate) demo_cuts: RangeInclusive<u64>,

    /// The seed for the content and the cuts
    #[arg(long, value_name = "N", default_value = "1")]
    #[arg(conflicts_with_all = ["url", "file"])]
    pub(crate) demo_seed: u64,
}

impl TransferArguments {
    /// Builds a layer. Settings without an argument keep the layer's defaults.
    pub(crate) fn resume_layer(&self) -> ResumeLayer {
        let mut layer = ResumeLayer::new()
            .backoff(self.backoff())
            .idle_timeout(self.idle_timeout);
        if let Some(resumes) = self.max_resumes {
            layer = layer.max_resumes(resumes);
        }
        if let Some(window) = self.window {
            layer = layer.window(window);
        }
        if let Some(bytes) = self.verify_prefix {
            layer = layer.verify_prefix(bytes);
        }
        layer
    }

    /// Builds a layer. An attempt lasts until the first bytes of its response arrive.
    pub(crate) fn retry_layer(&self) -> RetryLayer {
        let layer = RetryLayer::new()
            .backoff(self.backoff())
            .attempt_timeout(self.idle_timeout);
        match self.max_retries {
            Some(retries) => layer.max_retries(retries),
            None => layer,
        }
    }

    fn backoff(&self) -> Backoff {
        self.base
            .map_or_else(Backoff::default, Backoff::exponential)
    }
}

fn parse_url(text: &str) -> Result<Uri, String> {
    const NEEDED: &str = "it must begin with http:// and a host";
    let uri: Uri = text.parse().map_err(|error| format!("{error}; {NEEDED}"))?;
    let Some(authority) = uri.authority() else {
        return Err(NEEDED.into());
    };
    match uri.scheme_str() {
        Some("http") => {}
        Some("https") => return Err("https is not supported: this example has no TLS".into()),
        _ => return Err(NEEDED.into()),
    }
    // The client would ignore user info, and would use port 80 if the port is invalid.
    if authority.as_str().contains('@') {
        return Err("user info is not sent".into());
    }
    let after_host = authority.as_str().strip_prefix(authority.host());
    if after_host != Some("") && authority.port_u16().is_none() {
        return Err("its port must be a number up to 65535".into());
    }
    Ok(uri)
}

fn parse_cuts(text: &str) -> Result<RangeInclusive<u64>, String> {
    let (from, to) = text.split_once("..").ok_or("it must be SIZE..SIZE")?;
    let cuts = parse_size(from)?..=parse_size(to)?;
    match cuts.is_empty() {
        true => Err("its end must not be below its start".into()),
        false => Ok(cuts),
    }
}
