//! Tasks on the list with constraints of the module `bench-rules`: services, and the servers that they refer to.
//!
//! There is a server for ten services. `fill-services` makes N of these, and `--reps` servers that nobody refers to.

use crate::Options;
use crate::session::{Session, edit_config, spread};
use crate::times::{Numbers, milliseconds, timed, timed_by};
use std::fmt::Write as _;
use std::time::Instant;

const NS: &str = "urn:bench:rules";

/// So many ports there are.
const PORTS: usize = 65_535;

fn servers(options: &Options) -> usize {
    (options.entries / 10).max(1)
}

/// A service. Each turn gives it other values of all leafs that constraints read.
fn service(options: &Options, number: usize, turn: usize) -> String {
    let (a, b, c) = (number >> 16 & 255, number >> 8 & 255, number & 255);
    let (server, port) = ((number + turn) % servers(options), 1 + turn % PORTS);
    format!(
        "<service><name>{number:07}</name><server>s{server:07}</server><address>10.{a}.{b}.{c}</address>\
         <port>{port}</port><low>{turn}</low><high>{}</high></service>",
        turn + 1 + number % 100
    )
}

fn services(options: &Options, turn: usize) -> String {
    (0..options.entries).map(|number| service(options, number, turn)).collect()
}

/// All that is there after `fill-services`.
fn everything(options: &Options) -> String {
    let mut all = String::new();
    for number in 0..servers(options) {
        write!(all, "<server><name>s{number:07}</name></server>").expect("space");
    }
    for number in 0..options.reps {
        write!(all, "<server><name>{}</name></server>", spare(number)).expect("space");
    }
    all.push_str(&services(options, 0));
    all
}

/// The name of a server that nobody refers to. They stand behind all others.
fn spare(number: usize) -> String {
    format!("x{number:07}")
}

fn edit(target: &str, what: &str) -> String {
    edit_config(target, &format!("<services xmlns=\"{NS}\">{what}</services>"))
}

fn delete_server(name: &str) -> String {
    let delete = "xmlns:nc=\"urn:ietf:params:xml:ns:netconf:base:1.0\" nc:operation=\"delete\"";
    edit("running", &format!("<server {delete}><name>{name}</name></server>"))
}

pub(crate) fn fill(options: &Options) -> Numbers {
    let operation = edit("running", &everything(options));
    let mut session = Session::open(options);
    let began = Instant::now();
    session.ok(&operation);
    vec![("bytes", operation.len() as f64), ("total_ms", milliseconds(began))]
}

/// The same as a document, for another program.
pub(crate) fn print(options: &Options) {
    println!("<services xmlns=\"{NS}\">{}</services>", everything(options));
}

/// By the candidate and a commit.
fn commits(options: &Options, what: impl Fn(usize) -> String) -> Numbers {
    let mut session = Session::open(options);
    timed(options.reps, |rep| {
        session.ok(&edit("candidate", &what(rep)));
        session.ok("<commit/>");
    })
}

/// All values of a service.
pub(crate) fn change(options: &Options) -> Numbers {
    commits(options, |rep| service(options, spread(options.entries, rep), options.from + rep))
}

/// A service that was not there.
pub(crate) fn add(options: &Options) -> Numbers {
    commits(options, |rep| service(options, options.entries + options.from + rep, 0))
}

/// A server that nobody refers to. It is there again before the next one.
pub(crate) fn remove(options: &Options) -> Numbers {
    let mut session = Session::open(options);
    timed_by(options.reps, |rep| {
        let began = Instant::now();
        session.ok(&delete_server(&spare(rep)));
        let took = milliseconds(began);
        session.ok(&edit("running", &format!("<server><name>{}</name></server>", spare(rep))));
        took
    })
}

/// A server that is referred to: RFC 7950, 15.5 says how that is refused.
pub(crate) fn remove_referred(options: &Options) -> Numbers {
    let mut session = Session::open(options);
    timed(options.reps, |rep| {
        session.rpc(&delete_server(&format!("s{:07}", spread(servers(options), rep))));
        let refused = session.says(">data-missing<") && session.says(">instance-required<");
        assert!(refused, "{}", session.told());
    })
}

/// Validation of a candidate in which all services are changed.
pub(crate) fn validate(options: &Options) -> Numbers {
    let mut session = Session::open(options);
    let numbers = timed_by(options.reps, |rep| {
        session.ok(&edit("candidate", &services(options, options.from + rep)));
        let began = Instant::now();
        session.ok("<validate><source><candidate/></source></validate>");
        milliseconds(began)
    });
    session.ok("<discard-changes/>");
    numbers
}
