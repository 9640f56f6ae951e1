use std::time::Duration;

use tower_layer::Layer;

use super::point::{Point, Settings};
use super::service::Commit;

/// Layer that applies [`Commit`], which returns a response only when its first bytes, or all of it,
/// have arrived. See the [module](super).
#[derive(Clone, Copy, Debug)]
#[must_use = "a layer does nothing until it wraps a service"]
pub struct CommitLayer {
    settings: Settings,
}

impl CommitLayer {
    /// Creates a layer that returns a response when the first bytes of its body have arrived.
    ///
    /// The commit point is the first data frame that is not empty, or trailers, or the end of the body.
    /// A failure after it is the caller's.
    ///
    /// ```
    /// use tower::ServiceBuilder;
    /// use tower_http_retry::{CommitLayer, RetryLayer};
    ///
    /// // A stream of events that ends with an error before its first event is asked for again, and
    /// // never after that.
    /// let layers = ServiceBuilder::new()
    ///     .layer(RetryLayer::new())
    ///     .layer(CommitLayer::first_bytes());
    /// # let _ = layers;
    /// ```
    pub fn first_bytes() -> Self {
        Self::at(Point::FirstBytes)
    }

    /// Creates a layer that returns a response when all of its body has arrived, if that is not longer
    /// than `limit` bytes.
    ///
    /// A longer body is returned as soon as it is known to be longer: when the head arrives, if its
    /// `Content-Length` says so, else with what was read so far, followed by the rest as it comes. A stream
    /// of events (`text/event-stream`), which does not end, is returned when its head arrives; for other
    /// endless responses use [`first_bytes`](Self::first_bytes). Of a response no more than `limit` bytes
    /// and one frame are read ahead, which take up to twice their size if the length is not known. 2 MiB
    /// suits most services.
    ///
    /// Classifiers above can look at a body that was read: see
    /// [`Outcome::body`](crate::classify::Outcome::body). For that it stays in memory for as long as the
    /// response's extensions.
    ///
    /// ```
    /// use tower::ServiceBuilder;
    /// use tower_http_retry::{CommitLayer, RetryLayer};
    ///
    /// let layers = ServiceBuilder::new()
    ///     .layer(RetryLayer::new())
    ///     .layer(CommitLayer::whole(2 * 1024 * 1024));
    /// # let _ = layers;
    /// ```
    pub fn whole(limit: usize) -> Self {
        Self::at(Point::Whole { limit })
    }

    fn at(point: Point) -> Self {
        Self {
            settings: Settings {
                point,
                reads_failures: false,
                timeout: Duration::MAX,
            },
        }
    }

    /// Sets whether the bodies of 5xx and 429 responses are read before they are returned, too. Defaults
    /// to false: a retry discards most of them, and reads what is left to free their connections.
    ///
    /// Set it for services that explain a 429 or a 5xx in its body, and a classifier that
    /// [looks at it](crate::classify::Outcome::body). If such a body fails, or takes longer than a second
    /// (or the [`timeout`](Self::timeout)), the response is returned all the same, with what was read and
    /// the rest: its status still counts. An attempt's time-out has to be longer than that.
    ///
    /// ```
    /// use tower_http_retry::CommitLayer;
    ///
    /// let layer = CommitLayer::whole(64 * 1024).read_failures(true);
    /// # let _ = layer;
    /// ```
    pub fn read_failures(mut self, reads: bool) -> Self {
        self.settings.reads_failures = reads;
        self
    }

    /// Sets how long the body may take from the response's head to the commit point. Defaults to
    /// [`Duration::MAX`], no limit.
    ///
    /// If it takes longer, the error is [`BrokenAnswer`](crate::commit::BrokenAnswer), which a retry takes
    /// for a time-out; a 5xx or 429 that is [read](Self::read_failures) is returned. The time-out of an [attempt](crate::RetryLayer::attempt_timeout) covers the
    /// head and the time up to the commit point together.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_http_retry::CommitLayer;
    ///
    /// let layer = CommitLayer::first_bytes().timeout(Duration::from_secs(5));
    /// # let _ = layer;
    /// ```
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = timeout;
        self
    }
}

impl<S> Layer<S> for CommitLayer {
    type Service = Commit<S>;

    fn layer(&self, inner: S) -> Commit<S> {
        let settings = self.settings;
        Commit { inner, settings }
    }
}
