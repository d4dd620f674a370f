//! How many files and connections the process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io;

/// Takes all that the system allows: each connection needs one, and the usual soft limit is as low as the limit of
/// sessions. Gives the number of descriptors that there may be, `None` for any.
///
/// # Errors
/// If the system refuses; then the old limit stays.
pub(crate) fn raise_limit() -> io::Result<Option<u64>> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?;
    }
    Ok(limit.maximum)
}

#[cfg(test)]
mod tests {
    use super::raise_limit;
    use rustix::process::{Resource, getrlimit};

    #[test]
    fn the_soft_limit_becomes_the_hard_limit() {
        let limit = raise_limit().unwrap();
        assert_eq!(getrlimit(Resource::Nofile).current, limit);
        assert_eq!(raise_limit().unwrap(), limit, "again it changes nothing");
    }
}
