//! Shows the reference scenario on clusters of real processes, each step with its time. `tools/demo` runs it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::as_conversions,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::wildcard_enum_match_arm,
    reason = "a tool ends where something is wrong, and measures by the clock"
)]

#[path = "../netconf-tests/support/mod.rs"]
#[allow(dead_code, reason = "the tests need more of it")]
mod support;

use std::process::ExitCode;
use support::scenario::{self, WAYS};

/// Entries of the list, if nothing else is asked for.
const SIZES: &str = "10,100,100000";

fn main() -> ExitCode {
    let mut sizes = SIZES.to_owned();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match (argument.as_str(), arguments.next()) {
            ("--sizes", Some(given)) => sizes = given,
            _ => return usage(),
        }
    }
    let Ok(sizes) = sizes.split(',').map(str::parse).collect::<Result<Vec<u32>, _>>() else {
        return usage();
    };
    if sizes.iter().any(|size| !(1..10_000_000).contains(size)) {
        return usage();
    }
    // What goes wrong stands in the table.
    std::panic::set_hook(Box::new(|_| {}));
    let mut is_well = true;
    for (size, way) in sizes.into_iter().flat_map(|size| WAYS.map(|way| (size, way))) {
        println!("\n{size} entries, {}", way.name());
        is_well &=
            scenario::run(size, way, &mut |step| println!("{}", step.to_string().trim_end()));
    }
    println!("\n{}", if is_well { "all is well" } else { "not all is well" });
    if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn usage() -> ExitCode {
    eprintln!("usage: tools/demo [--sizes N,N,...]: 1 to 9999999 entries, by default {SIZES}");
    ExitCode::from(2)
}
