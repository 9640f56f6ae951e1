use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tower_layer::Layer;

use super::resumption::Resumption;
use super::service::Resume;
use super::settings::{Limits, Settings};
use crate::backoff::Backoff;
use crate::classify::{ByStatus, Classify, ClassifyFn, Outcome, Verdict};
use crate::settings::JitterSource;

/// Layer that applies [`Resume`], which resumes downloads whose connection breaks.
///
/// See the [module](super) for which responses are resumed, when, and where to put the layer.
///
/// | setter | what it sets | default |
/// |---|---|---|
/// | [`max_resumes`](Self::max_resumes) | the number of resumptions in a row without progress | 5 |
/// | [`backoff`](Self::backoff) | the wait before each resumption | none after progress, then 1 s, 2 s, 4 s, .. with jitter |
/// | [`window`](Self::window) | how long after the first response a resumption may start | no limit |
/// | [`idle_timeout`](Self::idle_timeout) | how long the body may yield no data | no limit |
/// | [`skip_limit`](Self::skip_limit) | how many bytes may be received twice | 1 MiB |
/// | [`verify_prefix`](Self::verify_prefix) | whether responses without a strong validator are resumed | off |
/// | [`classify`](Self::classify), [`classify_fn`](Self::classify_fn) | which errors are resumed | [`ByStatus`]: transient errors |
/// | [`on_resume`](Self::on_resume) | a callback for each resumption | none |
/// | [`jitter_seed`](Self::jitter_seed) | a seed for the jitter | none: random |
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use tower::ServiceBuilder;
/// use tower_http_retry::{ResumeLayer, RetryLayer};
///
/// let layers = ServiceBuilder::new()
///     .layer(ResumeLayer::new().idle_timeout(Duration::from_secs(30)))
///     .layer(RetryLayer::new().attempt_timeout(Duration::from_secs(10)));
/// # let _ = layers;
/// ```
///
/// The [module](super#example) has a complete example.
#[must_use = "a layer does nothing until it wraps a service"]
pub struct ResumeLayer<C = ByStatus> {
    settings: Arc<Settings<C>>,
}

impl ResumeLayer {
    /// Creates a layer with the default settings.
    ///
    /// See [downloads](crate::guide::downloads) in the guide.
    pub fn new() -> Self {
        let settings = Settings {
            classify: Arc::new(ByStatus::new()),
            limits: Limits::default(),
            jitter: JitterSource::Entropy,
            listeners: Vec::new(),
            known_names: Arc::default(),
        };
        Self {
            settings: Arc::new(settings),
        }
    }
}

impl<C> ResumeLayer<C> {
    /// Sets how many times in a row a response is resumed without progress. Defaults to 5; 0 disables
    /// resumptions.
    ///
    /// An attempt makes progress if it delivers at least 64 KiB of new data, or new data over at least one
    /// second. Progress resets this count and the [back-off](Self::backoff), so a large download can be
    /// resumed any number of times as long as the attempts make progress. If no resumption is left, the
    /// body ends with a [`ResumeError`](super::ResumeError).
    ///
    /// ```
    /// use tower_http_retry::ResumeLayer;
    ///
    /// let layer = ResumeLayer::new().max_resumes(10);
    /// # let _ = layer;
    /// ```
    pub fn max_resumes(self, count: u32) -> Self {
        self.with(|settings| settings.limits.max_resumes = count)
    }

    /// Sets how long after the head of the first response a resumption may start. Defaults to
    /// [`Duration::MAX`], which is no limit.
    ///
    /// If the wait before a resumption would end after this window, the body ends immediately with a
    /// [`ResumeError`](super::ResumeError). A resumption that has already started is not cancelled.
    pub fn window(self, window: Duration) -> Self {
        self.with(|settings| settings.limits.window = window)
    }

    /// Sets the waits between resumptions without progress. Defaults to [`Backoff::default`]: 1 s, 2 s,
    /// 4 s, .., with jitter.
    ///
    /// The first resumption of a response, and the first one after [progress](Self::max_resumes), is sent
    /// immediately. The second one waits for the first step of the back-off, the third one for the second
    /// step, and so on. A retry below this layer waits in addition.
    pub fn backoff(self, backoff: Backoff) -> Self {
        self.with(|settings| settings.limits.backoff = backoff)
    }

    /// Sets how long the body may yield no data before it is resumed. Defaults to [`Duration::MAX`], which
    /// is no limit.
    ///
    /// The time starts with the first poll that returns pending and ends with the next data frame. It does
    /// not cover the time until the head of a response, which is limited by
    /// [`RetryLayer::attempt_timeout`](crate::RetryLayer::attempt_timeout).
    ///
    /// See [time-outs](crate::guide::downloads#time-outs) in the guide.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_http_retry::ResumeLayer;
    ///
    /// let layer = ResumeLayer::new().idle_timeout(Duration::from_secs(30));
    /// # let _ = layer;
    /// ```
    pub fn idle_timeout(self, timeout: Duration) -> Self {
        self.with(|settings| settings.limits.idle_timeout = timeout)
    }

    /// Sets how many bytes may be skipped in a response that starts before the requested byte. Defaults
    /// to 1 MiB.
    ///
    /// Some caches return more than the requested range, and some servers ignore the range and return
    /// everything. The bytes that were already delivered, and those before the range of the caller's own
    /// request, are read and discarded. If more bytes would have to be skipped, the body ends with
    /// [`Unresumable::RangeIgnored`](super::Unresumable::RangeIgnored).
    pub fn skip_limit(self, bytes: u64) -> Self {
        self.with(|settings| settings.limits.skip_limit = bytes)
    }

    /// Enables resumption of responses without a strong validator, as long as at most this many bytes were
    /// delivered. Off by default.
    ///
    /// The layer computes a hash of the delivered bytes. To resume, it requests everything again, reads
    /// the bytes that were already delivered, and compares the hashes:
    ///
    /// - If the hashes are equal, the body continues. The caller then has the complete newer version, because
    ///   both versions have the same length and the same beginning.
    /// - Otherwise, the body ends with [`Unresumable::Changed`](super::Unresumable::Changed).
    ///
    /// A 200 in response to a range request is compared in the same way, regardless of its validator. It is
    /// not compared if it has the same strong validator, and the bytes can be [skipped](Self::skip_limit).
    ///
    /// The hash has 64 bits and a random key.
    ///
    /// ```
    /// use tower_http_retry::ResumeLayer;
    ///
    /// // The service sends no `ETag`.
    /// let layer = ResumeLayer::new().verify_prefix(16 * 1024 * 1024);
    /// # let _ = layer;
    /// ```
    pub fn verify_prefix(self, bytes: u64) -> Self {
        self.with(|settings| settings.limits.verify_prefix = Some(bytes))
    }

    /// Sets the classifier that decides which errors of a body are resumed. Defaults to [`ByStatus`].
    ///
    /// It is called for each body that breaks, with an [`Outcome`](crate::classify::Outcome) that contains
    /// the body's error. If the class is transient or refused, the body is resumed. Otherwise it ends with a
    /// [`ResumeError`](super::ResumeError).
    ///
    /// For a closure, use [`classify_fn`](Self::classify_fn).
    pub fn classify<D: Classify>(self, classify: D) -> ResumeLayer<D> {
        let settings = Arc::unwrap_or_clone(self.settings);
        ResumeLayer {
            settings: Arc::new(settings.with_classifier(classify)),
        }
    }

    /// Sets a closure that decides which errors of a body are resumed.
    ///
    /// [`Outcome::by_status`] is the default to fall back to. See [`classify`](Self::classify).
    ///
    /// ```
    /// use tower_http_retry::ResumeLayer;
    /// use tower_http_retry::classify::Class;
    ///
    /// // The body of this client has its own error type.
    /// let layer = ResumeLayer::new().classify_fn(|outcome| match outcome.result() {
    ///     Err(error) if error.to_string().contains("connection lost") => Class::Transient.into(),
    ///     _ => outcome.by_status(),
    /// });
    /// # let _ = layer;
    /// ```
    pub fn classify_fn<F>(self, classify: F) -> ResumeLayer<ClassifyFn<F>>
    where
        F: Fn(&Outcome<'_>) -> Verdict,
    {
        self.classify(ClassifyFn { classify })
    }

    /// Adds a callback that is called before each resumption, for example for logs or progress bars.
    /// Defaults to none.
    ///
    /// Several callbacks are called in the order in which they were added. With the feature `tracing`, each
    /// resumption also emits an event at level `DEBUG`.
    pub fn on_resume(self, listener: impl Fn(&Resumption<'_>) + Send + Sync + 'static) -> Self {
        self.with(|settings| settings.listeners.push(Arc::new(listener)))
    }

    /// Seeds the jitter, so that a test or a simulation can be repeated. Defaults to a random seed.
    ///
    /// The jitter of each wait depends on this seed and on the number of waits before it.
    pub fn jitter_seed(self, seed: u64) -> Self {
        self.with(|settings| {
            settings.jitter = JitterSource::Seeded {
                seed,
                requests: Arc::new(AtomicU64::new(0)),
            };
        })
    }

    fn with(self, set: impl FnOnce(&mut Settings<C>)) -> Self {
        let mut settings = Arc::unwrap_or_clone(self.settings);
        set(&mut settings);
        Self {
            settings: Arc::new(settings),
        }
    }
}

impl<S, C> Layer<S> for ResumeLayer<C> {
    type Service = Resume<S, C>;

    fn layer(&self, inner: S) -> Resume<S, C> {
        Resume::new(inner, self.settings.clone())
    }
}

impl Default for ResumeLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<C> Clone for ResumeLayer<C> {
    fn clone(&self) -> Self {
        Self {
            settings: self.settings.clone(),
        }
    }
}

impl<C: fmt::Debug> fmt::Debug for ResumeLayer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResumeLayer")
            .field("settings", &self.settings)
            .finish()
    }
}
