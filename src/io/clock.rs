//! The door to time.

use crate::base::time::{Timestamp, WallTime};
use rustix::time::{ClockId, clock_gettime};
use std::time::{SystemTime, UNIX_EPOCH};

/// This moment on the clock that never goes back and counts while the machine sleeps.
pub(crate) fn now() -> Timestamp {
    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or_default();
    Timestamp(seconds.saturating_mul(1000).saturating_add(nanoseconds / 1_000_000))
}

/// The date and time of this moment. A clock before 1970 reads as 1970.
#[expect(clippy::disallowed_methods, reason = "this is the door to time")]
pub(crate) fn wall() -> WallTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    WallTime(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::{now, wall};

    #[test]
    fn the_clock_does_not_go_back() {
        let earlier = now();
        assert!(now() >= earlier);
    }

    #[test]
    fn the_date_is_one_of_this_century() {
        assert!(wall().date_and_time().starts_with("20"));
    }
}
