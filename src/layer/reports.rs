use super::RetryLayer;
use crate::event::Event;

/// Events, metrics and extensions.
impl<C> RetryLayer<C> {
    /// Adds an [`Attempt`](crate::Attempt) to the extensions of each attempt's request, for the layers
    /// below. Off by default, because it costs up to three allocations for each attempt.
    ///
    /// A layer directly below the retry does not need it:
    /// [`ReplayBody::attempt`](crate::ReplayBody::attempt) returns the same. A second retry layer further
    /// below also marks its attempts if it finds the extension.
    ///
    /// See [spans](crate::guide::observability#a-span-for-each-request-and-each-attempt) in the guide.
    pub fn mark_attempts(self) -> Self {
        self.with(|settings| settings.marks_attempts = true)
    }

    /// Adds an [`Attempts`](crate::Attempts) to the extensions of each response that took more than one
    /// attempt. Off by default, because it costs up to three allocations.
    ///
    /// A response that is a failure always has it if the server may have acted on an earlier attempt, so that
    /// a retry layer above does not classify it as a refusal.
    ///
    /// See [what a request took](crate::guide::testing#what-a-request-took) in the guide.
    pub fn mark_responses(self) -> Self {
        self.with(|settings| settings.marks_responses = true)
    }

    /// Adds a callback for each [`Event`]: the start of an attempt, a scheduled retry, or the end of a
    /// request. Defaults to none.
    ///
    /// It is called synchronously: when the service is called, for the start of a first attempt that no
    /// cooldown holds, and when the future is polled, for all other events. Several callbacks are called in
    /// the order in which they were added.
    ///
    /// See [events by a callback](crate::guide::observability#events-by-a-callback) in the guide.
    ///
    /// ```
    /// use tower_http_retry::RetryLayer;
    /// use tower_http_retry::event::EventKind;
    ///
    /// let layer = RetryLayer::new().on_event(|event| {
    ///     if let EventKind::RetryScheduled { after, .. } = event.kind() {
    ///         eprintln!("attempt {} failed, retrying in {after:?}", event.attempt());
    ///     }
    /// });
    /// # let _ = layer;
    /// ```
    #[doc(alias = "on_retry")]
    pub fn on_event(self, listener: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Self {
        self.with(|settings| settings.listeners.add(listener))
    }

    /// Adds the label `authority` to all [metrics](crate::metrics). Off by default.
    ///
    /// Each upstream then has its own metrics for as long as the recorder keeps them, and each event
    /// allocates. Use it only if the number of upstreams is bounded.
    ///
    /// See [queries by upstream](crate::guide::observability#by-upstream) in the guide.
    ///
    /// ```
    /// use tower_http_retry::{Budget, RetryLayer};
    /// let layer = RetryLayer::new().budget(Budget::per_authority(100)).metrics_by_authority();
    /// # let _ = layer;
    /// ```
    #[cfg(feature = "metrics")]
    pub fn metrics_by_authority(self) -> Self {
        self.with(|settings| settings.listeners.by_authority = true)
    }
}
