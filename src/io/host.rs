//! The door to the machine's name.

/// The host name, as the system has it.
pub(crate) fn name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
