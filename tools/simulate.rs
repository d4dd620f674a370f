//! Runs worlds of the simulator (`src/sim`) from their seeds. `tools/simulate` builds and starts this program.
#![allow(clippy::print_stdout, reason = "a tool prints")]

use quorate::sim::{Counts, Model, Options, Report, Sink, planted_names, simulate};
use std::process::ExitCode;

const USAGE: &str =
    "usage: tools/simulate [--seeds N] [--from S] [--nodes N] [--trace] [--planted NAME]

Simulates N worlds, of the seeds from S on, and says in one line how it went. The first world in
which a property does not hold ends it, with the command that repeats it. Exit status 1 then.

  --seeds N       how many worlds (default 100)
  --from S        the first seed (default 0)
  --nodes N       nodes of a world (default: 1 or 5 in each tenth world, otherwise 3)
  --trace         shows everything that happens
  --planted NAME  takes a rule away, or several as ONE+OTHER: then a world is looked for that
                  notices it, and the exit status is 1 if there is none";

struct Arguments {
    seeds: u64,
    from: u64,
    nodes: Option<usize>,
    trace: bool,
    planted: Option<String>,
}

fn main() -> ExitCode {
    match arguments() {
        Ok(Some(arguments)) => run(&arguments),
        Ok(None) => {
            println!("{USAGE}\n\nrules: {}", planted_names().collect::<Vec<_>>().join(", "));
            ExitCode::SUCCESS
        }
        Err(what) => {
            println!("{what}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn arguments() -> Result<Option<Arguments>, String> {
    let mut found = Arguments { seeds: 100, from: 0, nodes: None, trace: false, planted: None };
    let mut given = std::env::args().skip(1);
    while let Some(name) = given.next() {
        let mut value = || given.next().ok_or_else(|| format!("{name} needs a value"));
        let number = |text: String| text.parse::<u64>().map_err(|error| format!("{text}: {error}"));
        match name.as_str() {
            "--seeds" => found.seeds = number(value()?)?,
            "--from" => found.from = number(value()?)?,
            "--nodes" => {
                let text = value()?;
                let nodes = text.parse().map_err(|error| format!("{text}: {error}"))?;
                found.nodes = Some(nodes).filter(|nodes| (1..=7).contains(nodes));
            }
            "--trace" => found.trace = true,
            "--planted" => found.planted = Some(value()?),
            "--help" => return Ok(None),
            other => return Err(format!("{other} is not known")),
        }
    }
    Ok(Some(found))
}

fn run(arguments: &Arguments) -> ExitCode {
    // A panic is reported as what was found, with the seed.
    std::panic::set_hook(Box::new(|_| {}));
    let model = Model::new();
    let mut sum = Counts::default();
    let seeds = arguments.from..arguments.from.saturating_add(arguments.seeds);
    for seed in seeds {
        let usual = match seed % 10 {
            0 => 1,
            5 => 5,
            _ => 3,
        };
        let nodes = arguments.nodes.unwrap_or(usual);
        let options = Options::new(nodes);
        let options = match &arguments.planted {
            Some(name) => options.planted(name),
            None => Some(options),
        };
        let Some(options) = options else {
            println!("there is no such rule; --help lists them");
            return ExitCode::from(2);
        };
        let sink = arguments.trace.then(|| -> Sink { Box::new(|line: &str| println!("{line}")) });
        let report = simulate(seed, options, &model, sink);
        if report.violation.is_some() {
            return found(arguments, seed, nodes, &report);
        }
        sum += report.counts;
    }
    let (seeds, from) = (arguments.seeds, arguments.from);
    println!("{seeds} worlds from seed {from}: {sum}");
    if arguments.planted.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn found(arguments: &Arguments, seed: u64, nodes: usize, report: &Report) -> ExitCode {
    if let Some(violation) = &report.violation {
        let (property, what, at) = (violation.property, &violation.what, report.time_ms);
        println!("seed {seed}, at {at} ms: {property} does not hold: {what}");
    }
    let planted = arguments.planted.as_ref();
    let name = planted.map(|name| format!(" --planted {name}")).unwrap_or_default();
    println!("tools/simulate --seeds 1 --from {seed} --nodes {nodes}{name} --trace");
    if planted.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
