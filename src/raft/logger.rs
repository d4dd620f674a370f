//! The crate's own log lines, handed to `tracing`.

/// A drain for what the crate logs.
///
/// Its debug and trace lines print whole messages, and so configuration data: they are dropped.
struct ToTracing;

impl slog::Drain for ToTracing {
    type Ok = ();
    type Err = slog::Never;

    fn log(&self, record: &slog::Record<'_>, _: &slog::OwnedKVList) -> Result<(), slog::Never> {
        match record.level() {
            slog::Level::Critical | slog::Level::Error => {
                tracing::error!(target: "quorate::raft", "{}", record.msg());
            }
            slog::Level::Warning => tracing::warn!(target: "quorate::raft", "{}", record.msg()),
            slog::Level::Info => tracing::debug!(target: "quorate::raft", "{}", record.msg()),
            slog::Level::Debug | slog::Level::Trace => {}
        }
        Ok(())
    }
}

/// The logger to give to the crate.
pub(super) fn logger() -> slog::Logger {
    slog::Logger::root(ToTracing, slog::o!())
}
