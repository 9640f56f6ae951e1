use std::sync::Arc;

use crate::event::{Event, EventKind};

type Listener = Arc<dyn Fn(&Event<'_>) + Send + Sync>;

/// Who is told of a layer's events: the user's closures, and the features that pass them on.
#[derive(Clone, Default)]
pub(crate) struct Listeners {
    own: Option<Listener>,
    /// Whether metrics are kept for each upstream.
    pub(crate) by_authority: bool,
}

/// A feature that passes events on to where its users have them from.
struct Feature {
    /// Whether it does anything about this kind now.
    hears: fn(EventKind) -> bool,
    retell: fn(&Event<'_>, by_authority: bool),
}

const FEATURES: &[Feature] = &[
    #[cfg(feature = "tracing")]
    Feature {
        hears: crate::trace::hears,
        retell: crate::trace::retell,
    },
    #[cfg(feature = "metrics")]
    Feature {
        hears: crate::metrics::hears,
        retell: crate::metrics::retell,
    },
];

impl Listeners {
    /// Adds a listener, which is told of each event after those that were added before.
    pub(crate) fn add(&mut self, listener: impl Fn(&Event<'_>) + Send + Sync + 'static) {
        self.own = Some(match self.own.take() {
            Some(earlier) => Arc::new(move |event: &Event<'_>| {
                earlier(event);
                listener(event);
            }),
            None => Arc::new(listener),
        });
    }

    /// Whether there is anyone to tell, so that the event need be made.
    #[inline]
    pub(crate) fn hear(&self, kind: EventKind) -> bool {
        self.own.is_some() || FEATURES.iter().any(|feature| (feature.hears)(kind))
    }

    pub(crate) fn tell(&self, event: &Event<'_>) {
        if let Some(own) = &self.own {
            own(event);
        }
        for feature in FEATURES {
            (feature.retell)(event, self.by_authority);
        }
    }
}
