//! Prints the figures of the data tree as JSON, for `tools/bench --tree`. Arguments: the number of entries, and what to measure.
#![allow(clippy::print_stdout, reason = "a tool prints")]

use quorate::measure::{Part, tree};
use std::process::ExitCode;

/// The one of the agent.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let entries = arguments.next().and_then(|text| text.parse().ok());
    let part = match arguments.next().as_deref() {
        Some("plain-maps") => Some(Part::PlainMaps),
        Some("by-key") => Some(Part::ByKey),
        Some("by-user") => Some(Part::ByUser),
        _ => None,
    };
    let (Some(entries @ 1..), Some(part)) = (entries, part) else {
        println!("usage: tree ENTRIES plain-maps|by-key|by-user");
        return ExitCode::from(2);
    };
    let figures = tree(entries, part).into_iter().map(|figure| {
        serde_json::json!({
            "what": figure.what,
            "measured": figure.measured,
            "unit": figure.unit,
            "is_floor": figure.is_floor,
        })
    });
    println!("{}", serde_json::Value::Array(figures.collect()));
    ExitCode::SUCCESS
}
