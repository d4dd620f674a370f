//! What the tests share: agents in directories of their own, a NETCONF client, XML to compare.

pub(crate) mod agent;
pub(crate) mod cluster;
pub(crate) mod reply;
pub(crate) mod routes;
pub(crate) mod scenario;
pub(crate) mod session;
pub(crate) mod ssh;
pub(crate) mod wire;
pub(crate) mod xml;

use std::time::{Duration, Instant};

/// Asks until there is an answer. The test fails if there is none in time.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + wire::PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Numbers from a seed (xorshift64*), for choices that a failing run must be able to repeat.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % bound
    }
}
