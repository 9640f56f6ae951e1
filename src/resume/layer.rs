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

/// Layer that applies [`Resume`], which resumes downloads that break off. See the [module](super).
///
/// | setter | default |
/// |---|---|
/// | [`max_resumes`](Self::max_resumes) | 5 without progress between them |
/// | [`backoff`](Self::backoff) | at once after progress; then 1 s, 2 s, 4 s, .. with jitter |
/// | [`window`](Self::window) | no limit |
/// | [`idle_timeout`](Self::idle_timeout) | none |
/// | [`skip_limit`](Self::skip_limit) | 1 MiB |
/// | [`verify_prefix`](Self::verify_prefix) | off |
/// | [`classify`](Self::classify) | [`ByStatus`]: errors that may pass |
/// | [`on_resume`](Self::on_resume) | none |
/// | [`jitter_seed`](Self::jitter_seed) | none: from entropy |
#[must_use = "a layer does nothing until it wraps a service"]
pub struct ResumeLayer<C = ByStatus> {
    settings: Arc<Settings<C>>,
}

impl ResumeLayer {
    /// Creates a layer with the default settings.
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
    /// Sets how often a response is resumed without progress. Defaults to 5; 0 resumes nothing.
    ///
    /// Progress is 64 KiB of new data from one attempt, or new data over at least a second. After it, the
    /// count and the [back-off](Self::backoff) start again. So a large download can be resumed any
    /// number of times, as long as each attempt brings it further. If the number is used up, the body
    /// ends with a [`ResumeError`](super::ResumeError).
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

    /// Sets how long after the first response's head a resumption may start. Defaults to
    /// [`Duration::MAX`], no limit.
    ///
    /// If the wait for it would end later, the body ends at once. One that has started is not cancelled.
    pub fn window(self, window: Duration) -> Self {
        self.with(|settings| settings.limits.window = window)
    }

    /// Sets the waits before resumptions without progress. Defaults to [`Backoff::default`]: 1 s, 2 s,
    /// 4 s, .., with jitter.
    ///
    /// The first resumption after [progress](Self::max_resumes), or after the first response, is sent at
    /// once; the second one waits for the first step, and so on. A retry below has waits of its own.
    pub fn backoff(self, backoff: Backoff) -> Self {
        self.with(|settings| settings.limits.backoff = backoff)
    }

    /// Sets how long the body may give nothing before it counts as broken. Defaults to
    /// [`Duration::MAX`], no limit.
    ///
    /// The time runs from the first poll that finds no frame until a frame comes. It does not cover the
    /// heads of responses; see [`RetryLayer::attempt_timeout`](crate::RetryLayer::attempt_timeout) for
    /// those.
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

    /// Sets how many bytes that were delivered may be read again, in a response that starts before the
    /// byte that was asked for. They are dropped. Defaults to 1 MiB.
    ///
    /// Some caches answer with more than the range, and some servers ignore it and send everything. If
    /// more than this has to be skipped, the body ends with
    /// [`Unresumable::RangeIgnored`](super::Unresumable::RangeIgnored).
    pub fn skip_limit(self, bytes: u64) -> Self {
        self.with(|settings| settings.limits.skip_limit = bytes)
    }

    /// Resumes responses without a strong validator as well, as long as at most so many bytes were
    /// delivered. Off by default.
    ///
    /// The layer keeps a hash of what it delivers. To resume, it asks for everything again, reads the
    /// bytes that were delivered before, and compares their hash. If they are the same, the rest follows;
    /// if not, the body ends with [`Unresumable::Changed`](super::Unresumable::Changed). What the caller
    /// gets is then the newer version, whole, since both begin alike and are of the same length.
    ///
    /// A 200 in answer to a range request is compared in the same way, whatever its validator.
    ///
    /// The hash has 64 bits and a random key.
    ///
    /// ```
    /// use tower_http_retry::ResumeLayer;
    ///
    /// // A service that sends no ETag.
    /// let layer = ResumeLayer::new().verify_prefix(16 * 1024 * 1024);
    /// # let _ = layer;
    /// ```
    pub fn verify_prefix(self, bytes: u64) -> Self {
        self.with(|settings| settings.limits.verify_prefix = Some(bytes))
    }

    /// Sets the classifier that decides which errors of a body are resumed. Defaults to [`ByStatus`].
    ///
    /// It is asked about each body that breaks off, as an [`Outcome`](crate::classify::Outcome) with the
    /// body's error. A transient or refused error is resumed; after any other one the body ends.
    pub fn classify<D: Classify>(self, classify: D) -> ResumeLayer<D> {
        let settings = Arc::unwrap_or_clone(self.settings);
        ResumeLayer {
            settings: Arc::new(settings.with_classifier(classify)),
        }
    }

    /// Sets a closure as the classifier: see [`classify`](Self::classify).
    ///
    /// ```
    /// use tower_http_retry::ResumeLayer;
    /// use tower_http_retry::classify::Class;
    ///
    /// // The errors of this client's bodies are of a type of its own.
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

    /// Sets a closure that is called before each resumption: for logs and progress bars. Called again, it
    /// adds a closure, which is called after the others.
    ///
    /// With feature `tracing`, each resumption is also an event at level `DEBUG`.
    pub fn on_resume(self, listener: impl Fn(&Resumption<'_>) + Send + Sync + 'static) -> Self {
        self.with(|settings| settings.listeners.push(Arc::new(listener)))
    }

    /// Draws the jitter of each wait from this seed and the number of waits before it, so that a
    /// simulation repeats.
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
