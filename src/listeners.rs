use std::sync::Arc;

use crate::event::{Event, EventKind};

type Listener = Arc<dyn Fn(&Event<'_>) + Send + Sync>;

/// The listeners of a layer's events: the user's callbacks, and the features that pass events on.
#[derive(Clone, Default)]
pub(crate) struct Listeners {
    own: Option<Listener>,
    /// Whether metrics are kept for each upstream.
    pub(crate) by_authority: bool,
}

/// The listeners of the enabled features.
const FEATURES: &[fn(&Event<'_>, by_authority: bool)] = &[
    #[cfg(feature = "tracing")]
    crate::trace::retell,
    #[cfg(feature = "metrics")]
    crate::metrics::retell,
    #[cfg(all(feature = "metrics", feature = "grpc"))]
    crate::metrics::retell_call,
];

/// Whether a feature uses the events of requests that succeed at the first attempt. Only metrics count them.
const COUNTS_ROUTINE: bool = cfg!(feature = "metrics");

impl Listeners {
    /// Adds a listener, which is called after those that were added before.
    pub(crate) fn add(&mut self, listener: impl Fn(&Event<'_>) + Send + Sync + 'static) {
        self.own = Some(match self.own.take() {
            Some(earlier) => Arc::new(move |event: &Event<'_>| {
                earlier(event);
                listener(event);
            }),
            None => Arc::new(listener),
        });
    }

    /// Whether an event of this kind has a listener, so that it has to be created.
    #[inline]
    pub(crate) fn hear(&self, kind: EventKind) -> bool {
        // This order takes 17 instructions less than with the constant first.
        self.own.is_some() || COUNTS_ROUTINE || !(FEATURES.is_empty() || kind.is_routine())
    }

    pub(crate) fn tell(&self, event: &Event<'_>) {
        if let Some(own) = &self.own {
            own(event);
        }
        for retell in FEATURES {
            retell(event, self.by_authority);
        }
    }
}
