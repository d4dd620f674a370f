//! The log: lines of text or of JSON on standard error.

use super::configuration::Log;
use super::configuration::value::{LogFormat, LogLevel};
use std::io::{self, IsTerminal};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

/// Begins to log. Once in a process.
///
/// # Errors
/// If the process logs already.
pub(crate) fn start(log: Log) -> anyhow::Result<()> {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter(log.level))
        .with_writer(BoxMakeWriter::new(io::stderr))
        .with_ansi(io::stderr().is_terminal())
        .with_target(log.level >= LogLevel::Debug);
    let started = match log.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Untimed => builder.without_time().try_init(),
        LogFormat::Json => builder
            .json()
            .with_target(true)
            .with_current_span(false)
            .with_span_list(false)
            .try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("cannot start the log: {error}"))
}

/// Our own events at `level`; those of libraries one step and more above what is meant for us.
fn filter(level: LogLevel) -> EnvFilter {
    let libraries = match level {
        LogLevel::Error => "error",
        LogLevel::Warn | LogLevel::Info => "warn",
        LogLevel::Debug => "info",
        LogLevel::Trace => "debug",
    };
    EnvFilter::new(format!("{libraries},quorate={level}"))
}

#[cfg(test)]
mod tests {
    use super::{LogLevel, filter};

    #[test]
    fn libraries_are_quieter_than_we_are() {
        for (level, expected) in [
            (LogLevel::Error, "quorate=error,error"),
            (LogLevel::Info, "quorate=info,warn"),
            (LogLevel::Trace, "quorate=trace,debug"),
        ] {
            assert_eq!(filter(level).to_string(), expected);
        }
    }
}
