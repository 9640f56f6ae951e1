use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};

/// So many lists of names are learned at most, of so many names each: a client sends few kinds of
/// requests.
pub(super) const LISTS: usize = 8;
const MAX_NAMES: usize = 64;

/// The names of a layer's requests, in the order in which each kind of request has them. Those of
/// the next request of a kind need not be kept, nor made again for its retries: to keep 12 headers
/// takes 1,850 instructions instead of 2,300, to make them for a retry 6,000 instead of 9,300, and
/// an allocation less for each name that is not a standard one.
#[derive(Default)]
pub(crate) struct KnownNames {
    /// Filled one after the other, and then as they are: to look one up writes nothing.
    lists: [OnceLock<List>; LISTS],
    /// What was not known when it was last seen: names that come once only are not learned.
    seen: [AtomicU64; LISTS],
}

/// The names of one kind of request.
pub(super) struct List {
    /// One for each value.
    names: Vec<HeaderName>,
    /// The same names, with empty values.
    map: HeaderMap,
}

impl KnownNames {
    /// The place of a map's names, and how many bytes its values have.
    pub(super) fn look_up(&self, headers: &HeaderMap) -> Option<(u8, usize)> {
        let lists = self.lists.iter().map_while(OnceLock::get);
        let mut found = (0..).zip(lists).filter_map(|(place, list)| {
            let value_bytes = list.value_bytes(headers)?;
            Some((place, value_bytes))
        });
        found.next()
    }

    pub(super) fn at(&self, place: u8) -> &List {
        let list = self.lists[usize::from(place)].get();
        list.expect("looked up")
    }

    /// Learns a map's names when they are seen for the second time, if there is room.
    pub(super) fn learn(&self, headers: &HeaderMap) {
        let free = self.lists.iter().find(|list| list.get().is_none());
        let Some(free) = free.filter(|_| headers.len() <= MAX_NAMES) else {
            return;
        };
        let mut hasher = DefaultHasher::new();
        headers.iter().for_each(|(name, _)| name.hash(&mut hasher));
        let sign = hasher.finish();
        let seen = &self.seen[sign as usize % LISTS];
        match seen.load(Ordering::Relaxed) == sign {
            // Another thread may have been quicker.
            true => drop(free.set(List::of(headers))),
            false => seen.store(sign, Ordering::Relaxed),
        }
    }
}

impl List {
    fn of(headers: &HeaderMap) -> Self {
        let names: Vec<_> = headers.iter().map(|(name, _)| name.clone()).collect();
        let mut map = HeaderMap::with_capacity(headers.keys_len());
        for name in &names {
            map.append(name, HeaderValue::from_static(""));
        }
        Self { names, map }
    }

    /// How many bytes the values of a map have that has these names, in this order.
    fn value_bytes(&self, headers: &HeaderMap) -> Option<usize> {
        if self.names.len() != headers.len() {
            return None;
        }
        let mut bytes = 0;
        for (own, (name, value)) in self.names.iter().zip(headers) {
            if own != name {
                return None;
            }
            bytes += value.len();
        }
        Some(bytes)
    }

    pub(super) fn with_no_values(&self) -> HeaderMap {
        self.map.clone()
    }

    /// The place of the first value of this name.
    pub(super) fn position<N>(&self, name: N) -> Option<usize>
    where
        HeaderName: PartialEq<N>,
    {
        self.names.iter().position(|own| *own == name)
    }
}
