use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use http::Uri;

use crate::authority::Authority;

/// A value for each upstream, such as a budget. A look-up takes no lock, because the map is never changed: to
/// add an upstream, it is replaced by a copy. The more upstreams there are, the longer this takes.
pub(crate) struct Authorities<T> {
    max: usize,
    make: Box<dyn Fn() -> T + Send + Sync>,
    map: ArcSwap<HashMap<Arc<Authority<'static>>, Arc<Entry<T>>>>,
    /// A counter that orders the uses of upstreams; see `touch`.
    uses: AtomicU64,
}

struct Entry<T> {
    of: T,
    /// The value of `uses` when the entry was last marked as used.
    used: AtomicU64,
}

impl<T> Authorities<T> {
    pub(crate) fn new(max: usize, make: impl Fn() -> T + Send + Sync + 'static) -> Self {
        Self {
            max,
            make: Box::new(make),
            map: ArcSwap::default(),
            uses: AtomicU64::new(0),
        }
    }

    /// Calls `act` with the value of a URI's upstream, which is created if there is none, and marks it as
    /// used.
    pub(crate) fn with<U>(&self, uri: &Uri, act: impl FnOnce(&T) -> U) -> U {
        let authority = Authority::of(uri);
        let map = self.map.load();
        if let Some(entry) = map.get(&authority) {
            self.touch(entry);
            return act(&entry.of);
        }
        drop(map);
        act(&self.insert(authority.into_owned()).of)
    }

    /// Calls `act` with the value of a URI's upstream without marking it as used. If there is none, a new one
    /// is passed and then dropped.
    pub(crate) fn peek<U>(&self, uri: &Uri, act: impl FnOnce(&T) -> U) -> U {
        match self.map.load().get(&Authority::of(uri)) {
            Some(entry) => act(&entry.of),
            None => act(&(self.make)()),
        }
    }

    /// Calls `act` with the value of a URI's upstream if there is one, without marking it as used.
    pub(crate) fn find<U>(&self, uri: &Uri, act: impl FnOnce(&T) -> U) -> Option<U> {
        self.find_of(&Authority::of(uri), act)
    }

    /// Like [`find`](Self::find), but takes the authority of the upstream.
    pub(crate) fn find_of<U>(
        &self,
        authority: &Authority<'_>,
        act: impl FnOnce(&T) -> U,
    ) -> Option<U> {
        let map = self.map.load();
        map.get(authority).map(|entry| act(&entry.of))
    }

    /// Calls `act` for each upstream, in no particular order, without marking any as used.
    pub(crate) fn each(&self, mut act: impl FnMut(&Authority<'static>, &T)) {
        for (authority, entry) in &**self.map.load() {
            act(authority, &entry.of);
        }
    }

    /// Marks an entry as used, unless it is among the most recently used eighth. The order within that
    /// eighth does not matter, because other entries are removed first. So threads that use a few upstreams
    /// in turn do not write to shared memory.
    fn touch(&self, entry: &Entry<T>) {
        let uses = self.uses.load(Ordering::Relaxed);
        let others = uses.saturating_sub(entry.used.load(Ordering::Relaxed));
        if others > self.max as u64 / 8 {
            entry.used.store(self.next_use(), Ordering::Relaxed);
        }
    }

    fn next_use(&self) -> u64 {
        self.uses.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Inserts an entry, and returns the one that is in the map: another thread may have inserted one.
    fn insert(&self, authority: Authority<'static>) -> Arc<Entry<T>> {
        let authority = Arc::new(authority);
        let made = Arc::new(Entry {
            of: (self.make)(),
            used: AtomicU64::new(self.next_use()),
        });
        let before = self.map.rcu(|map| {
            if map.contains_key(&authority) {
                return map.clone();
            }
            let mut next = HashMap::clone(map);
            if next.len() >= self.max {
                let used = |entry: &Entry<T>| entry.used.load(Ordering::Relaxed);
                let oldest = next.iter().min_by_key(|(_, entry)| used(entry));
                if let Some(oldest) = oldest.map(|(authority, _)| authority.clone()) {
                    next.remove(&oldest);
                }
            }
            next.insert(authority.clone(), made.clone());
            Arc::new(next)
        });
        before.get(&authority).cloned().unwrap_or(made)
    }
}

#[cfg(test)]
mod tests;
