//! The `quorate` command.

use std::process::ExitCode;

/// A commit makes and drops many small pieces of trees, on more than one thread.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    quorate::cli::main()
}
