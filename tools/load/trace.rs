//! The task `trace`: writers that survive what is done to the servers, and tell of each write when it was.
//!
//! Each of the targets gets `--sessions` writers, which write one entry after the other until standard input ends and,
//! so that the end of an outage is seen, a write is done. After a timeout or an error a writer connects anew.
//!
//! Then each write is one line on standard output: target, when it began, when it ended, and 1 if the server said that it
//! is done, else 0. Times are seconds of CLOCK_MONOTONIC, which is the caller's clock too.

use crate::session::spread;
use crate::{Client, Options, Target};
use rustix::time::{ClockId, clock_gettime};
use std::fmt::Write as _;
use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Before a server is asked again that does not listen or refuses.
const PAUSE: Duration = Duration::from_millis(2);

/// What is no outage any more but an end.
const OUTAGE_S_MAX: f64 = 30.0;

/// One write of a writer.
struct Write {
    began_s: f64,
    ended_s: f64,
    done: bool,
}

pub(crate) fn trace(options: &Options) {
    let stop = AtomicBool::new(false);
    let lines = std::thread::scope(|scope| {
        let mut workers = Vec::new();
        for worker in 0..options.targets.len() * options.sessions {
            let (target, stop) = (worker % options.targets.len(), &stop);
            let number = spread(options.entries, worker * 3);
            let work = move || written(&options.targets[target], options, number, stop);
            workers.push((target, scope.spawn(work)));
        }
        std::io::stdin().read_to_end(&mut Vec::new()).expect("standard input");
        stop.store(true, Ordering::Relaxed);
        let mut lines = String::new();
        for (target, worker) in workers {
            for write in worker.join().expect("its writes") {
                let Write { began_s, ended_s, done } = write;
                writeln!(lines, "{target} {began_s:.6} {ended_s:.6} {}", u8::from(done))
                    .expect("space");
            }
        }
        lines
    });
    print!("{lines}");
}

/// What one writer wrote.
///
/// # Panics
/// If nothing is done for too long after it was to stop.
fn written(target: &Target, options: &Options, number: usize, stop: &AtomicBool) -> Vec<Write> {
    let (mut writes, mut client) = (Vec::new(), None);
    let mut stopped_s = None;
    for count in 0.. {
        let began_s = now_s();
        let open = client.take().map_or_else(|| Client::open(target, options), Ok);
        let result = open.and_then(|mut open| {
            let done = open.write(number, count % 60_000)?;
            client = Some(open);
            Ok(done)
        });
        let done = result.unwrap_or(false);
        writes.push(Write { began_s, ended_s: now_s(), done });
        if stop.load(Ordering::Relaxed) {
            if done {
                break;
            }
            let stopped_s = *stopped_s.get_or_insert(began_s);
            assert!(now_s() - stopped_s < OUTAGE_S_MAX, "nothing can be written any more");
        }
        if !done {
            std::thread::sleep(PAUSE);
        }
    }
    writes
}

fn now_s() -> f64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}
