//! The text that is written for tracing events.

use std::cell::RefCell;
use std::sync::Once;

use tracing_subscriber::filter::LevelFilter;

thread_local! {
    /// The text that was written on this thread, which belongs to one test.
    static WRITTEN: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

struct ToThread;

impl std::io::Write for ToThread {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        WRITTEN.with_borrow_mut(|written| written.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Returns the lines that are written while a future runs.
pub async fn told<T>(done: impl Future<Output = T>) -> Vec<String> {
    // There is one subscriber for all threads, because tracing caches for each event whether it is enabled.
    static SUBSCRIBER: Once = Once::new();
    SUBSCRIBER.call_once(|| {
        tracing_subscriber::fmt()
            .with_max_level(LevelFilter::TRACE)
            .with_writer(|| ToThread)
            .without_time()
            .with_ansi(false)
            .init();
    });
    WRITTEN.take();
    done.await;
    let written = String::from_utf8(WRITTEN.take()).unwrap();
    written
        .lines()
        .map(|line| line.trim_start().to_owned())
        .collect()
}
