//! A download from a server, through a proxy that cuts each connection.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use http::Uri;
use sha2::{Digest, Sha256};
use tokio::task::spawn_blocking;

use crate::arguments::{DemoArguments, TransferArguments};
use crate::download::download;
use crate::failure::Failure;
use crate::progress::Progress;

mod content;
mod cutting_proxy;
mod listener;
mod report;
mod server;

use content::Content;
use cutting_proxy::CuttingProxy;
use report::Report;
use server::Server;

/// Downloads a file, and prints a report, which says whether the received bytes are those that were served.
pub(crate) async fn run(
    arguments: &DemoArguments,
    transfer: &TransferArguments,
    progress: &Progress,
) -> Result<ExitCode, Failure> {
    let seed = arguments.demo_seed;
    let content = Content::new(seed, arguments.demo_bytes);
    let server = Server::start(content).await?;
    let proxy = CuttingProxy::start(server.address(), arguments.demo_cuts.clone(), seed).await?;
    let directory = Directory::create()?;
    let file = directory.path.join("demo");
    let url = format!("http://{}/demo", proxy.address());
    let url = Uri::try_from(url).map_err(io::Error::other)?;

    let started = Instant::now();
    download(url, &file, transfer, progress).await?;
    let took = started.elapsed();

    let digests = spawn_blocking(move || io::Result::Ok([served(content), arrived(file)?]));
    let [served, arrived] = digests.await.map_err(io::Error::other)??;
    let report = Report {
        seed,
        bytes: content.length(),
        proxy_cuts: arguments.demo_cuts.clone(),
        requests: server.requests(),
        resumptions: progress.resumptions(),
        cuts: proxy.cuts(),
        crossed: proxy.crossed(),
        took,
        served,
        arrived,
    };
    // Does not panic if the reader has closed the pipe.
    let _ = write!(io::stdout(), "{report}");
    Ok(ExitCode::from(u8::from(!report.is_equal())))
}

fn served(content: Content) -> String {
    let mut digest = Sha256::new();
    for piece in content.part(0..content.length()) {
        digest.update(&piece);
    }
    format!("{:x}", digest.finalize())
}

fn arrived(file: PathBuf) -> io::Result<String> {
    let mut digest = Sha256::new();
    io::copy(&mut fs::File::open(file)?, &mut digest)?;
    Ok(format!("{:x}", digest.finalize()))
}

/// A new directory for temporary files. Dropping it removes the directory and its content.
struct Directory {
    path: PathBuf,
}

impl Directory {
    fn create() -> io::Result<Self> {
        let name = format!(
            "download-demo-{}-{:08x}",
            std::process::id(),
            fastrand::u32(..)
        );
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path)?;
        Ok(Self { path })
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // An error cannot be handled here.
        let _ = fs::remove_dir_all(&self.path);
    }
}
