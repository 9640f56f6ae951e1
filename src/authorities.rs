use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use http::Uri;

use crate::authority::Authority;

/// Something for each upstream: a budget. A request that finds its own waits for nobody: the map is never
/// changed, but replaced by one with another upstream in it, which takes longer the more there are.
pub(crate) struct Authorities<T> {
    max: usize,
    make: Box<dyn Fn() -> T + Send + Sync>,
    map: ArcSwap<HashMap<Arc<Authority<'static>>, Arc<Entry<T>>>>,
    /// How many times another upstream was used than the one before.
    uses: AtomicU64,
}

struct Entry<T> {
    of: T,
    /// What `uses` was when it was last used.
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

    /// Uses what there is for a URI's upstream, and makes it if there is none.
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

    /// The same without a use, and none is kept.
    pub(crate) fn peek<U>(&self, uri: &Uri, act: impl FnOnce(&T) -> U) -> U {
        match self.map.load().get(&Authority::of(uri)) {
            Some(entry) => act(&entry.of),
            None => act(&(self.make)()),
        }
    }

    /// What there is for a URI's upstream, without a use; none is made.
    pub(crate) fn find<U>(&self, uri: &Uri, act: impl FnOnce(&T) -> U) -> Option<U> {
        self.find_of(&Authority::of(uri), act)
    }

    /// The same by its name.
    pub(crate) fn find_of<U>(
        &self,
        authority: &Authority<'_>,
        act: impl FnOnce(&T) -> U,
    ) -> Option<U> {
        let map = self.map.load();
        map.get(authority).map(|entry| act(&entry.of))
    }

    /// What there is for each, without a use, in no order.
    pub(crate) fn each(&self, mut act: impl FnMut(&Authority<'static>, &T)) {
        for (authority, entry) in &**self.map.load() {
            act(authority, &entry.of);
        }
    }

    /// Which of the eighth that was used last was used last of all is never asked: others go
    /// first. So a few upstreams that are used in turn write nothing that threads share.
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

    /// Threads that meet here agree on one entry.
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
