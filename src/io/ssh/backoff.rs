//! Whoever guesses passwords waits: the delays of sources whose authentication failed.

use crate::base::limits::{SSH_BACKOFF_MS_MAX, SSH_BACKOFF_SOURCES_MAX};
use crate::base::time::Timestamp;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

/// Failures of one source that cost nothing: people mistype.
const FREE_FAILURES: u32 = 2;
/// The first delay; each further failure doubles it.
const FIRST_DELAY_MS: u64 = 250;
/// Milliseconds after which a source without further failures is forgotten.
const FORGOTTEN_AFTER_MS: u64 = 10 * 60 * 1000;

/// The sources that failed.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    // Invariant: at most `SSH_BACKOFF_SOURCES_MAX` entries.
    sources: BTreeMap<IpAddr, Failures>,
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Timestamp,
    /// When the next attempt may be looked at.
    not_before: Timestamp,
}

impl Backoff {
    /// Milliseconds that an attempt of `source` has to wait before it is looked at.
    pub(crate) fn delay_ms(&self, now: Timestamp, source: IpAddr) -> u64 {
        self.sources.get(&network(source)).map_or(0, |failures| failures.not_before.ms_since(now))
    }

    /// An attempt of `source` failed.
    pub(crate) fn failed(&mut self, now: Timestamp, source: IpAddr) {
        let source = network(source);
        if !self.sources.contains_key(&source) && self.sources.len() >= SSH_BACKOFF_SOURCES_MAX {
            self.make_room(now);
        }
        let failures =
            self.sources.entry(source).or_insert(Failures { count: 0, last: now, not_before: now });
        if now.ms_since(failures.last) >= FORGOTTEN_AFTER_MS {
            failures.count = 0;
        }
        failures.count = failures.count.saturating_add(1);
        failures.last = now;
        failures.not_before = now.plus_ms(delay_after(failures.count));
    }

    /// An attempt of `source` succeeded: it is forgotten.
    pub(crate) fn succeeded(&mut self, source: IpAddr) {
        self.sources.remove(&network(source));
    }

    /// Forgets the sources whose time is over, or else the one that failed longest ago.
    fn make_room(&mut self, now: Timestamp) {
        self.sources.retain(|_, failures| now.ms_since(failures.last) < FORGOTTEN_AFTER_MS);
        if self.sources.len() >= SSH_BACKOFF_SOURCES_MAX
            && let Some(oldest) =
                self.sources.iter().min_by_key(|(_, failures)| failures.last).map(|(key, _)| *key)
        {
            self.sources.remove(&oldest);
        }
    }
}

/// The delay after so many failures.
fn delay_after(failures: u32) -> u64 {
    match failures.checked_sub(FREE_FAILURES + 1) {
        None => 0,
        Some(doublings) => FIRST_DELAY_MS
            .checked_shl(doublings.min(32))
            .map_or(SSH_BACKOFF_MS_MAX, |delay| delay.min(SSH_BACKOFF_MS_MAX)),
    }
}

/// What counts as one source: an IPv4 address, or the /64 of an IPv6 address, which one subscriber has to himself.
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::{Backoff, FORGOTTEN_AFTER_MS};
    use crate::base::limits::SSH_BACKOFF_SOURCES_MAX;
    use crate::base::time::Timestamp;
    use std::net::{IpAddr, Ipv4Addr};

    const NOW: Timestamp = Timestamp(1_000_000);

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn delays_begin_with_the_third_failure_double_and_have_a_limit() {
        let mut backoff = Backoff::default();
        let source = address("192.0.2.1");
        let delays: Vec<_> = (0..10)
            .map(|_| {
                backoff.failed(NOW, source);
                backoff.delay_ms(NOW, source)
            })
            .collect();
        assert_eq!(delays, [0, 0, 250, 500, 1000, 2000, 4000, 8000, 8000, 8000]);
        for _ in 0..100 {
            backoff.failed(NOW, source);
        }
        assert_eq!(backoff.delay_ms(NOW, source), 8000);
        assert_eq!(backoff.delay_ms(NOW.plus_ms(7000), source), 1000);
        assert_eq!(backoff.delay_ms(NOW.plus_ms(9000), source), 0);
    }

    #[test]
    fn others_do_not_wait_and_a_success_ends_the_waiting() {
        let mut backoff = Backoff::default();
        (0..5).for_each(|_| backoff.failed(NOW, address("192.0.2.1")));
        assert_eq!(backoff.delay_ms(NOW, address("192.0.2.2")), 0);
        backoff.succeeded(address("192.0.2.1"));
        assert_eq!(backoff.delay_ms(NOW, address("192.0.2.1")), 0);
    }

    #[test]
    fn one_subscriber_is_one_source() {
        let mut backoff = Backoff::default();
        for host in 1..=3 {
            backoff.failed(NOW, address(&format!("2001:db8:1:2::{host}")));
        }
        assert_eq!(backoff.delay_ms(NOW, address("2001:db8:1:2:ffff::9")), 250);
        assert_eq!(backoff.delay_ms(NOW, address("2001:db8:1:3::1")), 0);
        (0..3).for_each(|_| backoff.failed(NOW, address("::ffff:192.0.2.1")));
        assert_eq!(backoff.delay_ms(NOW, address("192.0.2.1")), 250);
    }

    #[test]
    fn old_failures_are_forgotten() {
        let mut backoff = Backoff::default();
        (0..9).for_each(|_| backoff.failed(NOW, address("192.0.2.1")));
        let later = NOW.plus_ms(FORGOTTEN_AFTER_MS);
        backoff.failed(later, address("192.0.2.1"));
        assert_eq!(backoff.delay_ms(later, address("192.0.2.1")), 0);
    }

    #[test]
    fn the_table_does_not_grow_beyond_its_limit() {
        let mut backoff = Backoff::default();
        let count = u32::try_from(SSH_BACKOFF_SOURCES_MAX).unwrap() + 10;
        for number in 0..count {
            let now = NOW.plus_ms(number.into());
            backoff.failed(now, IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + number)));
        }
        assert_eq!(backoff.sources.len(), SSH_BACKOFF_SOURCES_MAX);
        assert!(!backoff.sources.contains_key(&address("10.0.0.9")), "the oldest went first");
        assert!(backoff.sources.contains_key(&address("10.0.0.10")));
    }
}
