use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, OnceLock};

use http::{HeaderMap, HeaderName, HeaderValue};

/// The maximum number of lists, and of names and bytes in a list. A client sends few kinds of requests.
pub(super) const LISTS: usize = 8;
const MAX_NAMES: usize = 64;
const MAX_BYTES: usize = 4 * 1024;

/// The header names of each kind of request that a layer has sent, in their order. For further requests of
/// that kind, the names are not stored, and are not created again for retries. Storing 12 headers takes 1,850
/// instructions instead of 2,300. Creating them for a retry takes 5,900 instead of 9,300, and one allocation
/// less for each name that is not a standard one.
///
/// Layers that setters create from one another share them.
#[derive(Default)]
pub(crate) struct KnownNames {
    /// Filled in order, and not changed afterwards, so that a look-up writes nothing.
    lists: [OnceLock<List>; LISTS],
    unknown: Mutex<Unknown>,
}

/// The names of one kind of request.
pub(super) struct List {
    /// One name for each value.
    names: Vec<HeaderName>,
    /// The same names, with empty values.
    pub(super) map: HeaderMap,
}

/// The hashes of the last lists of names that were not known. A new one replaces the oldest.
#[derive(Default)]
struct Unknown {
    hashes: [u64; LISTS],
    oldest: usize,
}

impl KnownNames {
    /// Returns the index of the list with a map's names, and the total size of the map's values in bytes.
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

    /// Learns names that are not known if they were seen recently, so that names which occur only once do not
    /// use up the lists. Does nothing while another thread learns, so that no request waits.
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
            // Lists are filled only under the lock, so this one is still empty.
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

    /// Returns the total size of a map's values in bytes, if the map has these names in this order.
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

    /// Returns the index of the first value of this name.
    pub(super) fn position<N>(&self, name: N) -> Option<usize>
    where
        HeaderName: PartialEq<N>,
    {
        self.names.iter().position(|own| *own == name)
    }
}

#[cfg(test)]
mod tests;
