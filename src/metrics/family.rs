use std::array;
use std::sync::OnceLock;
use std::time::Duration;

use metrics::{Key, Level, Metadata, SharedString, with_recorder};

use super::label::{Label, Place};

pub(super) static METADATA: Metadata<'_> =
    Metadata::new("tower_http_retry", Level::INFO, Some(module_path!()));

/// A metric, with all combinations of its labels' values.
pub(super) struct Family<const LABELS: usize, const KEYS: usize> {
    pub(super) name: &'static str,
    labels: [Label; LABELS],
    // A key is two allocations, so it is made once, when it is first needed.
    keys: [OnceLock<Key>; KEYS],
}

impl<const LABELS: usize, const KEYS: usize> Family<LABELS, KEYS> {
    pub(super) const fn new(name: &'static str, labels: [Label; LABELS]) -> Self {
        Self {
            name,
            labels,
            keys: [const { OnceLock::new() }; KEYS],
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

    /// An authority may be any, so that keys with one are not kept.
    fn with_key(
        &self,
        places: [Place; LABELS],
        authority: Option<&SharedString>,
        act: impl FnOnce(&Key),
    ) {
        match authority {
            Some(authority) => act(&self.key(places, [authority_label(authority)])),
            None => act(self.keys[self.place(places)].get_or_init(|| self.key(places, []))),
        }
    }

    fn key<const MORE: usize>(&self, places: [Place; LABELS], more: [metrics::Label; MORE]) -> Key {
        let label = |label: usize| {
            let Label { name, values } = self.labels[label];
            metrics::Label::from_static_parts(name, values[places[label]])
        };
        let labels = array::from_fn::<_, LABELS, _>(label).into_iter();
        Key::from_parts(self.name, labels.chain(more).collect::<Vec<_>>())
    }

    /// Of a combination among all.
    fn place(&self, places: [Place; LABELS]) -> usize {
        let labels = self.labels.iter().zip(places);
        labels.fold(0, |place, (label, value)| place * label.len() + value)
    }
}

pub(super) fn authority_label(authority: &SharedString) -> metrics::Label {
    metrics::Label::new("authority", authority.clone())
}
