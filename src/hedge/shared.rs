use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::Uri;

use super::learned::{Learned, Terms};
use super::settings::Settings;
use super::snapshot::HedgeSnapshot;
use crate::authorities::Authorities;

/// The state that all services of a layer share.
pub(super) struct Shared<C> {
    pub(super) settings: Settings<C>,
    scope: Scope,
}

enum Scope {
    All(Box<Learned>),
    Each(Authorities<Box<Learned>>),
}

impl<C> Shared<C> {
    pub(super) fn new(settings: Settings<C>) -> Self {
        let terms = settings.terms.clone();
        let scope = match settings.max_upstreams {
            None => Scope::All(Box::new(Learned::new(terms))),
            Some(max) => {
                let first = AtomicUsize::new(max.max(1));
                let make = move || Box::new(one_of_many(&terms, &first));
                Scope::Each(Authorities::new(max, make))
            }
        };
        Self { settings, scope }
    }

    /// Calls `act` with the state of a URI's upstream.
    #[inline]
    pub(super) fn at<T>(&self, uri: &Uri, act: impl FnOnce(&Learned) -> T) -> T {
        match &self.scope {
            Scope::All(learned) => act(learned),
            Scope::Each(upstreams) => upstreams.with(uri, |learned| act(learned)),
        }
    }

    /// Returns the current delay for a URI's upstream.
    pub(super) fn delay(&self, uri: &Uri) -> Option<Duration> {
        match &self.scope {
            Scope::All(learned) => learned.delay(),
            Scope::Each(upstreams) => upstreams
                .find(uri, |learned| learned.delay())
                .unwrap_or(self.settings.terms.fixed),
        }
    }

    pub(super) fn snapshot(&self) -> HedgeSnapshot {
        let mut snapshot = HedgeSnapshot::default();
        match &self.scope {
            Scope::All(learned) => snapshot.shared = Some(learned.state()),
            Scope::Each(upstreams) => upstreams.each(|authority, learned| {
                snapshot
                    .upstreams
                    .insert(authority.origin(), learned.state());
            }),
        }
        snapshot
    }

    /// Returns how many seconds a hedge to a URI's upstream saves.
    pub(super) fn saved(&self, uri: &Uri) -> Option<f64> {
        match &self.scope {
            Scope::All(learned) => learned.saved(),
            Scope::Each(upstreams) => upstreams.find(uri, |learned| learned.saved())?,
        }
    }
}

/// Creates the state of an upstream. The first upstreams start with one earned hedge. A replacement starts
/// with none, because otherwise each new upstream would add a hedge.
fn one_of_many(terms: &Terms, first: &AtomicUsize) -> Learned {
    let order = Ordering::Relaxed;
    let is_first = first.fetch_update(order, order, |left| left.checked_sub(1));
    match is_first {
        Ok(_) => Learned::new(terms.clone()),
        Err(_) => Learned::without_start(terms.clone()),
    }
}
