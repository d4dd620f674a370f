//! Tasks of one NETCONF session: what single operations take.

use crate::session::{NS, Session, edit, entry, hello, spread};
use crate::times::{Numbers, milliseconds, timed};
use crate::{Options, russh_alone};
use std::time::Instant;

pub(crate) fn fill(options: &Options, target: &str) -> Numbers {
    let routes: String = (0..options.entries).map(|n| entry(n, 1 + n % 100)).collect();
    let operation = edit(target, &routes);
    let mut session = Session::open(options);
    let began = Instant::now();
    session.ok(&operation);
    let edit_ms = milliseconds(began);
    let committing = Instant::now();
    if target == "candidate" {
        session.ok("<commit/>");
    }
    vec![
        ("bytes", operation.len() as f64),
        ("edit_ms", edit_ms),
        ("commit_ms", milliseconds(committing)),
        ("total_ms", milliseconds(began)),
    ]
}

/// One entry, by an operation with its number.
pub(crate) fn get(options: &Options, operation: fn(usize) -> String) -> Numbers {
    let mut session = Session::open(options);
    timed(options.reps, |rep| {
        let number = spread(options.entries, rep);
        session.rpc(&operation(number));
        assert!(session.says(&format!(">{number:07}<")), "{}", session.told());
    })
}

pub(crate) fn all(options: &Options) -> Numbers {
    let mut session = Session::open(options);
    let operation = format!(
        "<get-config><source><running/></source><filter type=\"subtree\"><routes xmlns=\"{NS}\"/>\
         </filter></get-config>"
    );
    let numbers = streamed(options, &mut session, &operation);
    let found = session.reply.windows(4).filter(|window| window == b"<id>").count();
    assert_eq!(found, options.entries, "{}", session.told());
    numbers
}

/// The same from a server that has nothing to do for it.
pub(crate) fn alone(options: &Options) -> Numbers {
    russh_alone::listen(options.port, hello(), options.bytes);
    let mut session = Session::open(options);
    let numbers = streamed(options, &mut session, "");
    assert_eq!(session.reply.len(), options.bytes);
    numbers
}

/// How fast the replies to an operation come.
fn streamed(options: &Options, session: &mut Session, operation: &str) -> Numbers {
    let mut numbers = timed(options.reps, |_| session.rpc(operation));
    let bytes = session.reply.len() as f64;
    numbers.push(("bytes", bytes));
    numbers.push(("mb_per_s", bytes / numbers[1].1 / 1e3));
    numbers
}

pub(crate) fn edit_one(options: &Options) -> Numbers {
    let mut session = Session::open(options);
    timed(options.reps, |rep| {
        let number = spread(options.entries, rep);
        session.ok(&edit("running", &entry(number, (200 + options.from + rep) % 60_000)));
    })
}

pub(crate) fn commit_one(options: &Options) -> Numbers {
    let mut session = Session::open(options);
    timed(options.reps, |rep| {
        let number = spread(options.entries, rep);
        session.ok(&edit("candidate", &entry(number, (300 + options.from + rep) % 60_000)));
        session.ok("<commit/>");
    })
}

pub(crate) fn connect(options: &Options) -> Numbers {
    timed(options.reps, |_| Session::open(options).close())
}

pub(crate) fn clear(options: &Options) -> Numbers {
    let mut session = Session::open(options);
    let began = Instant::now();
    session.ok(
        "<edit-config><target><running/></target><default-operation>replace</default-operation>\
         <config/></edit-config>",
    );
    vec![("total_ms", milliseconds(began))]
}
