use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, OnceLock};

use http::{HeaderMap, HeaderName, HeaderValue};

/// So many lists of names are learned at most, each of so many names and bytes: a client sends few
/// kinds of requests.
pub(super) const LISTS: usize = 8;
const MAX_NAMES: usize = 64;
const MAX_BYTES: usize = 4 * 1024;

/// The names of a layer's requests, in the order in which each kind of request has them. Those of
/// the next request of a kind need not be kept, nor made again for its retries: to keep 12 headers
/// takes 1,850 instructions instead of 2,300, to make them for a retry 5,900 instead of 9,300, and
/// an allocation less for each name that is not a standard one.
///
/// Layers that are made from one another by setters share them.
#[derive(Default)]
pub(crate) struct KnownNames {
    /// Filled one after the other, and then as they are: to look one up writes nothing.
    lists: [OnceLock<List>; LISTS],
    unknown: Mutex<Unknown>,
}

/// The names of one kind of request.
pub(super) struct List {
    /// One for each value.
    names: Vec<HeaderName>,
    /// The same names, with empty values.
    pub(super) map: HeaderMap,
}

/// The hashes of the names that were seen last and are not known; the oldest gives way.
#[derive(Default)]
struct Unknown {
    hashes: [u64; LISTS],
    oldest: usize,
}

impl KnownNames {
    /// The place of a map's names, and how many bytes its values have.
    pub(super) fn look_up(&self, headers: &HeaderMap) -> Option<(u8, usize)> {
        let lists = self.lists.iter().map_while(OnceLock::get);
        (0..)
            .zip(lists)
            .find_map(|(place, list)| Some((place, list.value_bytes(headers)?)))
    }

    pub(super) fn at(&self, place: u8) -> &List {
        let list = self.lists[usize::from(place)].get();
        list.expect("looked up")
    }

    /// Learns names that are not known when they are seen again soon, so that those which come once
    /// only take no place. Does nothing while another thread learns: no request waits for it.
    pub(super) fn learn(&self, headers: &HeaderMap) {
        let is_full = self.lists[LISTS - 1].get().is_some();
        if is_full || headers.len() > MAX_NAMES {
            return;
        }
        let Ok(mut unknown) = self.unknown.try_lock() else {
            return;
        };
        let is_long = || {
            headers
                .keys()
                .map(|name| name.as_str().len())
                .sum::<usize>()
                > MAX_BYTES
        };
        // Another thread may have learned them since they were looked up.
        if !unknown.is_seen_again(headers) || is_long() || self.look_up(headers).is_some() {
            return;
        }
        let free = self.lists.iter().find(|list| list.get().is_none());
        if let Some(free) = free {
            // Nobody else fills it.
            let _ = free.set(List::of(headers));
        }
    }
}

impl Unknown {
    fn is_seen_again(&mut self, headers: &HeaderMap) -> bool {
        let mut hasher = DefaultHasher::new();
        headers.iter().for_each(|(name, _)| name.hash(&mut hasher));
        let hash = hasher.finish();
        if self.hashes.contains(&hash) {
            return true;
        }
        self.hashes[self.oldest] = hash;
        self.oldest = (self.oldest + 1) % LISTS;
        false
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

    /// The place of the first value of this name.
    pub(super) fn position<N>(&self, name: N) -> Option<usize>
    where
        HeaderName: PartialEq<N>,
    {
        self.names.iter().position(|own| *own == name)
    }
}

#[cfg(test)]
mod tests;
