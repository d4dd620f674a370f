//! Operations a second of some connections, each one after the other, and what they take of the processors.

use crate::session::spread;
use crate::times::{Numbers, milliseconds, percentiles};
use crate::{Client, Options};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What the kernel counts processor time in (proc(5): USER_HZ, on all architectures that matter).
const TICK_MS: f64 = 10.0;

/// An operation with the entry of a number and a metric; false if it was refused.
type Step = fn(&mut Client, usize, usize) -> io::Result<bool>;

pub(crate) fn throughput(options: &Options, step: Step) -> Numbers {
    let stop = AtomicBool::new(false);
    let open = |_| Client::open(options.target(), options).expect("a connection");
    let clients: Vec<Client> = (0..options.sessions).map(open).collect();
    let began = Instant::now();
    let before = processor_ms(&options.pids);
    let (took, processor, done) = std::thread::scope(|scope| {
        let work = |(worker, client)| {
            let (stop, number) = (&stop, spread(options.entries, worker * 3));
            scope.spawn(move || work(client, stop, |client, count| step(client, number, count)))
        };
        let workers: Vec<_> = clients.into_iter().enumerate().map(work).collect();
        std::thread::sleep(Duration::from_secs_f64(options.seconds));
        stop.store(true, Ordering::Relaxed);
        let took = began.elapsed().as_secs_f64();
        let processor = processor_ms(&options.pids) - before;
        let done: Vec<_> =
            workers.into_iter().map(|worker| worker.join().expect("its work")).collect();
        (took, processor, done)
    });
    let errors: usize = done.iter().map(|(_, errors)| errors).sum();
    let times: Vec<f64> = done.into_iter().flat_map(|(times, _)| times).collect();
    let count = times.len() as f64;
    let mut numbers = vec![
        ("per_s", count / took),
        ("errors", errors as f64),
        ("sessions", options.sessions as f64),
        ("processor_us_each", 1e3 * processor / count.max(1.0)),
    ];
    if !times.is_empty() {
        numbers.extend(percentiles(times));
    }
    numbers
}

/// What one connection does until it is stopped: the times of what was done, and how often it was refused.
fn work(
    mut client: Client,
    stop: &AtomicBool,
    mut step: impl FnMut(&mut Client, usize) -> io::Result<bool>,
) -> (Vec<f64>, usize) {
    let (mut times, mut errors) = (Vec::new(), 0);
    for count in 0.. {
        let began = Instant::now();
        let good = step(&mut client, count % 60_000).expect("an answer");
        // What ends after the time does not count.
        if stop.load(Ordering::Relaxed) {
            break;
        }
        if good {
            times.push(milliseconds(began));
        } else {
            errors += 1;
        }
    }
    client.close();
    (times, errors)
}

/// The time that these processes have had on processors, theirs and the kernel's for them.
fn processor_ms(pids: &[u32]) -> f64 {
    pids.iter().map(|pid| processor_ticks(*pid)).sum::<f64>() * TICK_MS
}

/// Fields 14 and 15 of /proc/PID/stat (proc(5)); the second, in parentheses, may contain anything.
fn processor_ticks(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process");
    let (_, fields) = stat.rsplit_once(')').expect("its name");
    let fields: Vec<&str> = fields.split_whitespace().collect();
    fields[11..13].iter().map(|ticks| ticks.parse::<f64>().expect("ticks")).sum()
}
