use std::time::Duration;

/// The number of buckets: eight for each doubling, from a microsecond to more than an hour.
pub(super) const BUCKETS: usize = 256;

/// Times are counted in eighths of a microsecond, which is the first bucket.
const UNIT_NANOS: u64 = 125;
const FIRST: u64 = 8;

/// The bucket of a time. Shorter and longer times are in the first and the last bucket.
#[inline]
pub(super) fn bucket(time: Duration) -> usize {
    let seconds = time.as_secs().saturating_mul(1_000_000_000);
    let nanos = seconds.saturating_add(u64::from(time.subsec_nanos()));
    let units = (nanos / UNIT_NANOS).max(FIRST);
    let shift = units.ilog2() - FIRST.ilog2();
    let bucket = u64::from(shift) * 8 + (units >> shift) - FIRST;
    (bucket as usize).min(BUCKETS - 1)
}

/// The shortest time of a bucket, which is the longest of the bucket before.
pub(super) fn start(bucket: usize) -> Duration {
    let (shift, eighth) = (bucket as u64 / 8, bucket as u64 % 8);
    Duration::from_nanos(((FIRST + eighth) << shift) * UNIT_NANOS)
}

#[cfg(test)]
mod tests;
