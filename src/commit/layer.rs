use std::time::Duration;

use tower_layer::Layer;

use super::point::{Point, Settings};
use super::service::Commit;

/// Layer that applies [`Commit`], which holds a response back until the first bytes of its body, or the whole
/// body, have arrived.
///
/// A retry above can then retry failures in the body. See the [module](super) for which responses are read,
/// and where to put the layer.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use tower::ServiceBuilder;
/// use tower_http_retry::{CommitLayer, RetryLayer};
///
/// let layers = ServiceBuilder::new()
///     .layer(RetryLayer::new())
///     .layer(CommitLayer::whole(2 * 1024 * 1024).timeout(Duration::from_secs(10)));
/// # let _ = layers;
/// ```
///
/// The [module](super#failures-that-are-reported-with-200) has complete examples.
#[derive(Clone, Copy, Debug)]
#[must_use = "a layer does nothing until it wraps a service"]
pub struct CommitLayer {
    settings: Settings,
}

impl CommitLayer {
    /// Creates a layer that returns a response when the first bytes of its body have arrived.
    ///
    /// The commit point is the first data frame that is not empty, or trailers, or the end of the body. A
    /// failure after it is not retried, and is returned to the caller.
    ///
    /// See [whole responses and downloads](crate::guide::downloads) in the guide.
    ///
    /// ```
    /// use tower::ServiceBuilder;
    /// use tower_http_retry::{CommitLayer, RetryLayer};
    ///
    /// // An event stream that fails before its first event is retried, and never after it.
    /// let layers = ServiceBuilder::new()
    ///     .layer(RetryLayer::new())
    ///     .layer(CommitLayer::first_bytes());
    /// # let _ = layers;
    /// ```
    pub fn first_bytes() -> Self {
        Self::at(Point::FirstBytes)
    }

    /// Creates a layer that returns a response when its whole body has arrived, if the body is not longer
    /// than `limit` bytes. A limit of 2 MiB suits most services.
    ///
    /// These responses are returned earlier:
    ///
    /// - A response whose `Content-Length` is above the limit is returned when its head arrives.
    /// - Any other response with a longer body is returned when the limit is exceeded, with the bytes that
    ///   were read, followed by the rest.
    /// - An event stream (`text/event-stream`), which does not end, is returned when its head arrives. For
    ///   other endless responses, use [`first_bytes`](Self::first_bytes).
    ///
    /// At most `limit` bytes and one frame of each response are read ahead. They take up to twice their size
    /// in memory if the length is not known.
    ///
    /// Classifiers above can read the body with [`Outcome::body`](crate::classify::Outcome::body). The body
    /// therefore stays in memory as long as the extensions of the response.
    ///
    /// See [whole responses and downloads](crate::guide::downloads) in the guide.
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

    /// Sets whether the bodies of 5xx and 429 responses are read before they are returned. Defaults to
    /// `false`, because a retry discards most of these responses and drains their bodies for connection
    /// reuse.
    ///
    /// Set it for services that report the cause of a 429 or 5xx in its body, together with a classifier that
    /// [reads it](crate::classify::Outcome::body). If the body fails, or takes longer than the
    /// [`timeout`](Self::timeout) (one second if none is set), the response is returned with the bytes that
    /// were read, followed by the rest. The time-out of an attempt must be longer than this time-out.
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

    /// Sets how long the body may take from the head of the response to the commit point. Defaults to
    /// [`Duration::MAX`], which is no limit.
    ///
    /// If it takes longer, the attempt fails with [`BrokenAnswer`](crate::commit::BrokenAnswer), which a
    /// retry handles as a time-out. A 5xx or 429 that is [read](Self::read_failures) is returned instead.
    ///
    /// The [attempt time-out](crate::RetryLayer::attempt_timeout) of the retry covers the time until the head
    /// and this time together.
    ///
    /// See [time-outs](crate::guide::downloads#time-outs) in the guide.
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
