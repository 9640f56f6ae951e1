use std::fmt;

/// A set of statuses.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Statuses {
    /// One bit for each status.
    bits: [u64; 16],
}

/// A single status, or a whole series.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    /// The first digit of a series.
    Series(u16),
    One(u16),
}

impl Statuses {
    pub(super) const fn none() -> Self {
        Self { bits: [0; 16] }
    }

    pub(super) const fn with(mut self, status: u16) -> Self {
        self.bits[status as usize / 64] |= 1 << (status % 64);
        self
    }

    pub(super) const fn with_series(mut self, digit: u16) -> Self {
        let mut status = digit * 100;
        while status < (digit + 1) * 100 {
            self = self.with(status);
            status += 1;
        }
        self
    }

    pub(super) const fn without(mut self, status: u16) -> Self {
        self.bits[status as usize / 64] &= !(1 << (status % 64));
        self
    }

    pub(super) const fn contain(&self, status: u16) -> bool {
        self.bits[status as usize / 64] & (1 << (status % 64)) != 0
    }

    /// Returns the statuses in order. A series that is complete is a single item.
    pub(super) fn named(&self) -> impl Iterator<Item = Named> {
        (1..10).flat_map(move |digit| {
            let series = digit * 100..(digit + 1) * 100;
            let is_whole = series.clone().all(|status| self.contain(status));
            let whole = is_whole.then_some(Named::Series(digit));
            let each = series.filter(move |status| !is_whole && self.contain(*status));
            whole.into_iter().chain(each.map(Named::One))
        })
    }
}

impl fmt::Debug for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.named()).finish()
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Series(digit) => write!(f, "{digit}xx"),
            Self::One(status) => write!(f, "{status}"),
        }
    }
}

impl fmt::Debug for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
