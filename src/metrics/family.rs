use std::array;
use std::sync::OnceLock;
use std::time::Duration;

use metrics::{Key, Level, Metadata, SharedString, with_recorder};

use super::label::{Label, Place};

pub(super) static METADATA: Metadata<'_> =
    Metadata::new("tower_http_retry", Level::INFO, Some(module_path!()));

/// A metric with one key for each combination of label values.
pub(super) struct Family<const LABELS: usize> {
    pub(super) name: &'static str,
    labels: [Label; LABELS],
    // A key takes two allocations, so each is created once, when it is first needed.
    keys: OnceLock<Box<[OnceLock<Key>]>>,
}

impl<const LABELS: usize> Family<LABELS> {
    pub(super) const fn new(name: &'static str, labels: [Label; LABELS]) -> Self {
        Self {
            name,
            labels,
            keys: OnceLock::new(),
        }
    }

    pub(super) fn count(&self, places: [Place; LABELS], authority: Option<&SharedString>) {
        self.with_key(places, authority, |key| {
            with_recorder(|recorder| recorder.register_counter(key, &METADATA).increment(1));
        });
    }

    pub(super) fn record(
        &self,
        places: [Place; LABELS],
        authority: Option<&SharedString>,
        took: Duration,
    ) {
        self.with_key(places, authority, |key| {
            with_recorder(|recorder| recorder.register_histogram(key, &METADATA).record(took));
        });
    }

    /// Adds `by`, which may be negative, to a gauge.
    pub(super) fn raise(&self, places: [Place; LABELS], authority: Option<&SharedString>, by: f64) {
        self.with_key(places, authority, |key| {
            with_recorder(|recorder| recorder.register_gauge(key, &METADATA).increment(by));
        });
    }

    /// Sets a gauge.
    pub(super) fn set(&self, places: [Place; LABELS], value: f64) {
        self.with_key(places, None, |key| {
            with_recorder(|recorder| recorder.register_gauge(key, &METADATA).set(value));
        });
    }

    /// Calls `act` with the key. Keys with an authority are not kept, because the number of authorities is
    /// not limited.
    fn with_key(
        &self,
        places: [Place; LABELS],
        authority: Option<&SharedString>,
        act: impl FnOnce(&Key),
    ) {
        match authority {
            Some(authority) => act(&self.key(places, [authority_label(authority)])),
            None => act(self.kept_key(places)),
        }
    }

    fn kept_key(&self, places: [Place; LABELS]) -> &Key {
        let keys = self.keys.get_or_init(|| {
            let combinations = self.labels.iter().map(Label::len).product();
            (0..combinations).map(|_| OnceLock::new()).collect()
        });
        let labels = self.labels.iter().zip(places);
        let place = labels.fold(0, |place, (label, value)| place * label.len() + value);
        keys[place].get_or_init(|| self.key(places, []))
    }

    fn key<const MORE: usize>(&self, places: [Place; LABELS], more: [metrics::Label; MORE]) -> Key {
        let label = |label: usize| {
            let Label { name, values } = self.labels[label];
            metrics::Label::from_static_parts(name, values[places[label]])
        };
        let labels = array::from_fn::<_, LABELS, _>(label).into_iter();
        Key::from_parts(self.name, labels.chain(more).collect::<Vec<_>>())
    }
}

pub(super) fn authority_label(authority: &SharedString) -> metrics::Label {
    metrics::Label::new("authority", authority.clone())
}
