//! Everything that happens in a world, as text: hashed always, shown if somebody wants to see it.

use crate::base::ids::Digest;
use sha2::Digest as _;
use std::fmt::{self, Write as _};

/// Where the lines of a trace go.
pub type Sink = Box<dyn FnMut(&str)>;

/// The trace of one world.
pub(super) struct Trace {
    hash: sha2::Sha256,
    line: String,
    sink: Option<Sink>,
}

impl Trace {
    pub(super) fn new(sink: Option<Sink>) -> Self {
        Self { hash: sha2::Sha256::new(), line: String::new(), sink }
    }

    /// Adds a line. `time` is in microseconds.
    pub(super) fn say(&mut self, time: u64, what: fmt::Arguments<'_>) {
        self.line.clear();
        let (ms, us) = (time / 1000, time % 1000);
        // Writing to a String does not fail.
        let written = writeln!(self.line, "{ms:>6}.{us:03} {what}");
        debug_assert!(written.is_ok());
        self.hash.update(&self.line);
        if let Some(sink) = &mut self.sink {
            sink(self.line.trim_end());
        }
    }

    /// What tells this trace from every other one.
    pub(super) fn digest(&self) -> Digest {
        Digest(self.hash.clone().finalize().into())
    }
}
