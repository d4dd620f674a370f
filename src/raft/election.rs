//! Election timeouts from a seed.

use raft::{Raft, StateRole, Storage};

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

    /// A place in something of this length; 0 if it is empty.
    pub(crate) fn place(&mut self, length: usize) -> usize {
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        usize::try_from(self.below(length)).unwrap_or(0)
    }
}

/// Ticks after which the crate would stand for election by itself: never.
pub(super) const NEVER: usize = usize::MAX >> 1;

/// Decides when one node stands for election.
///
/// The crate would draw its timeouts from the operating system's randomness. It is configured with `NEVER` instead,
/// and counts the ticks since it heard a leader; what they are held against is drawn here.
#[derive(Debug)]
pub(super) struct ElectionTimeouts {
    ticks: usize,
    generator: SplitMix64,
    timeout: usize,
    /// What the node was when the timeout was drawn.
    drawn_as: (u64, StateRole),
}

impl ElectionTimeouts {
    pub(super) fn new(ticks: usize, seed: u64) -> ElectionTimeouts {
        let generator = SplitMix64::new(seed);
        let drawn_as = (0, StateRole::Follower);
        let mut timeouts = ElectionTimeouts { ticks, generator, timeout: 0, drawn_as };
        timeouts.draw();
        timeouts
    }

    /// Draws anew if the node has another term or role than it had: to be called after everything that may change
    /// them.
    pub(super) fn renew<T: Storage>(&mut self, raft: &Raft<T>) {
        let now = (raft.term, raft.state);
        if now != self.drawn_as {
            self.drawn_as = now;
            self.draw();
        }
    }

    /// Whether so many ticks without a leader are enough. Then the next timeout is another one.
    pub(super) fn is_over(&mut self, elapsed: usize) -> bool {
        let over = elapsed >= self.timeout;
        if over {
            self.draw();
        }
        over
    }

    /// The timeout is over within a fifth of the usual one: drawn, so that not all stand at once.
    pub(super) fn hurry<T: Storage>(&mut self, raft: &Raft<T>) {
        let soon = self.generator.place(self.ticks / 5 + 1);
        self.timeout = self.timeout.min(raft.election_elapsed.saturating_add(soon));
    }

    /// At least `ticks`, and less than twice as many.
    fn draw(&mut self) {
        self.timeout = self.ticks.saturating_add(self.generator.place(self.ticks));
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
    fn timeouts_lie_between_the_base_and_twice_as_long() {
        let mut timeouts = ElectionTimeouts::new(25, 7);
        let mut drawn = Vec::new();
        for _ in 0..1000 {
            assert!(!timeouts.is_over(timeouts.timeout - 1));
            drawn.push(timeouts.timeout);
            assert!(timeouts.is_over(timeouts.timeout));
        }
        assert_eq!(drawn.iter().min(), Some(&25));
        assert_eq!(drawn.iter().max(), Some(&49));
    }
}
