//! Election timeouts from a seed.

use raft::{Raft, Storage};

/// A small deterministic generator (Steele, Lea, Flood: splitmix64). Not for secrets.
#[derive(Debug, Clone)]
pub(crate) struct SplitMix64(u64);

impl SplitMix64 {
    /// The generator of this seed.
    pub(crate) fn new(seed: u64) -> SplitMix64 {
        SplitMix64(seed)
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 if that is 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next().checked_rem(bound).unwrap_or(0)
    }
}

/// Draws the election timeouts of one node.
///
/// The crate draws one itself, from the operating system's randomness, whenever it resets its timers. It is left a
/// single value to draw, the shortest timeout, which we never draw: whoever sees it knows that there was a reset
/// and replaces it.
///
/// Invariant: the crate is configured with `min_election_tick = ticks` and `max_election_tick = ticks + 1`.
#[derive(Debug)]
pub(super) struct ElectionTimeouts {
    ticks: usize,
    generator: SplitMix64,
}

impl ElectionTimeouts {
    pub(super) fn new(ticks: usize, seed: u64) -> ElectionTimeouts {
        ElectionTimeouts { ticks, generator: SplitMix64::new(seed) }
    }

    /// To be called after everything that may have reset the crate's timers.
    pub(super) fn renew<T: Storage>(&mut self, raft: &mut Raft<T>) {
        if raft.randomized_election_timeout() == self.ticks {
            raft.set_randomized_election_timeout(self.draw());
        }
    }

    /// A timeout above `ticks`, up to twice as long.
    fn draw(&mut self) -> usize {
        let bound = u64::try_from(self.ticks).unwrap_or(u64::MAX);
        let extra = usize::try_from(self.generator.below(bound)).unwrap_or(0);
        self.ticks.saturating_add(1).saturating_add(extra)
    }
}

#[cfg(test)]
mod tests {
    use super::{ElectionTimeouts, SplitMix64};

    #[test]
    fn the_generator_gives_the_published_numbers() {
        let mut generator = SplitMix64::new(1_234_567);
        let drawn: Vec<u64> = (0..3).map(|_| generator.next()).collect();
        assert_eq!(
            drawn,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
        assert_eq!(generator.below(0), 0);
    }

    #[test]
    fn timeouts_lie_above_the_base_and_up_to_twice_as_long() {
        let mut timeouts = ElectionTimeouts::new(25, 7);
        let drawn: Vec<usize> = (0..1000).map(|_| timeouts.draw()).collect();
        assert_eq!(drawn.iter().min(), Some(&26));
        assert_eq!(drawn.iter().max(), Some(&50));
    }
}
