//! Inputs that nobody would write: good ones that were damaged, given to whatever reads what others send.
//!
//! Each target says what is an input, and what must hold for each of them beside that nothing panics. The driver draws all
//! from a seed, so that a case is repeated from its number, and holds the limits on time and memory. `tools/fuzz` runs
//! the targets for longer than the tests do, alone.
#![allow(clippy::disallowed_methods, reason = "how long a run takes is a matter of the clock")]

mod edit;
mod framing;
mod xpath;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Bytes of an input.
const INPUT_BYTES_MAX: usize = 16 << 10;
/// Mutations of one input; half of the inputs have one, half of the rest two, and so on.
const MUTATIONS_MAX: u32 = 8;
/// A case that has not come to its end after so many seconds by the clock never will.
const HANG_S: u64 = 120;
/// Bytes that the process ever has, where it runs nothing but a target.
const MEMORY_BYTES_MAX: u64 = 768 << 20;

/// What is given damaged inputs.
pub(crate) struct Target<'a> {
    pub(crate) name: &'static str,
    /// Good inputs.
    pub(crate) corpus: Vec<Vec<u8>>,
    /// What means something in an input.
    pub(crate) tokens: &'a [&'a str],
    /// Milliseconds of the processor that one input may take, without optimization.
    pub(crate) cpu_ms_max: u64,
    /// Whether the input is a good one. Panics where something does not hold that must.
    pub(crate) check: &'a dyn Fn(&[u8], &mut Chance) -> bool,
}

/// Numbers from a seed (splitmix64).
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Less than `end`; 0 if that is 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap().max(1);
        usize::try_from(self.next() % end).unwrap()
    }

    /// One of them.
    pub(crate) fn pick<'t, T>(&mut self, of: &'t [T]) -> &'t T {
        &of[self.below(of.len())]
    }

    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.below(length + 1);
        // Short ones more often than long ones.
        let most = if self.next().is_multiple_of(4) { length } else { 16 };
        start..(start + self.below(most + 1)).min(length)
    }
}

/// A number of the environment, for `tools/fuzz`.
fn asked(name: &str) -> Option<u64> {
    let text = std::env::var(format!("QUORATE_FUZZ_{name}")).ok()?;
    Some(text.parse().unwrap_or_else(|error| panic!("QUORATE_FUZZ_{name}={text}: {error}")))
}

/// Gives a target inputs for a second, or for as long as is asked for.
pub(crate) fn run(target: &Target<'_>) {
    let seed = asked("SEED").unwrap_or(1);
    let end = Instant::now() + Duration::from_secs(asked("SECONDS").unwrap_or(1));
    let begun = Arc::new(AtomicU64::new(0));
    let watch = Watch::begin(target.name, seed, Arc::clone(&begun));
    for (number, input) in target.corpus.iter().enumerate() {
        let good = (target.check)(input, &mut Chance(seed));
        assert!(good, "{}: input {number} of the corpus is refused", target.name);
    }
    let (mut cases, mut good) = (0_u64, 0_u64);
    let only = asked("CASE");
    for case in only.map_or(0..u64::MAX, |case| case..case + 1) {
        if only.is_none() && Instant::now() >= end {
            break;
        }
        begun.store(case, Ordering::Relaxed);
        good += u64::from(judge(target, seed, case));
        cases += 1;
    }
    drop(watch);
    println!("{}: seed {seed}, {cases} inputs, {good} of them good", target.name);
    // On a busy machine there are few.
    assert!(cases < 10_000 || good > 0, "{}: every input is refused", target.name);
}

/// One case; whether its input was good.
fn judge(target: &Target<'_>, seed: u64, case: u64) -> bool {
    let mut chance = Chance(seed ^ case.wrapping_mul(0xd134_2543_de82_ef95));
    chance.next();
    let input = damaged(target, &mut chance);
    let before = cpu_ms();
    let judged = catch_unwind(AssertUnwindSafe(|| (target.check)(&input, &mut chance)));
    let took = cpu_ms() - before;
    let name = target.name;
    let repeat = || {
        format!(
            "{name}, case {case}: tools/fuzz --target {name} --seed {seed} --case {case}\ninput: {}",
            input.escape_ascii()
        )
    };
    assert!(took <= target.cpu_ms_max, "it took {took} ms of the processor: {}", repeat());
    if asked("ALONE").is_some() {
        let memory = memory_bytes();
        assert!(memory <= MEMORY_BYTES_MAX, "the process has had {memory} bytes: {}", repeat());
    }
    judged.unwrap_or_else(|_told| panic!("it panicked: {}", repeat()))
}

/// A good input, damaged.
fn damaged(target: &Target<'_>, chance: &mut Chance) -> Vec<u8> {
    let mut input = chance.pick(&target.corpus).clone();
    for _ in 0..=chance.next().trailing_zeros().min(MUTATIONS_MAX) {
        mutate(&mut input, target, chance);
        input.truncate(INPUT_BYTES_MAX);
    }
    input
}

fn mutate(input: &mut Vec<u8>, target: &Target<'_>, chance: &mut Chance) {
    let range = chance.range(input.len());
    match chance.below(9) {
        0 | 1 => {
            let at = chance.below(input.len());
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << chance.below(8);
            }
        }
        2 => {
            let at = chance.below(input.len());
            if let Some(byte) = input.get_mut(at) {
                *byte = *chance.pick(&[0, 1, 0x7f, 0x80, 0xff, b'\n', b' ', b'0']);
            }
        }
        3 => input.truncate(range.start),
        4 => drop(input.drain(range)),
        5 => {
            let again = input[range].to_vec();
            let at = chance.below(input.len() + 1);
            drop(input.splice(at..at, again));
        }
        6 => {
            let other = chance.pick(&target.corpus);
            let part = chance.range(other.len());
            drop(input.splice(range, other[part].iter().copied()));
        }
        _ => {
            let token = chance.pick(target.tokens).bytes();
            let at = range.start;
            let until = if chance.next().is_multiple_of(2) { range.end } else { at };
            drop(input.splice(at..until, token));
        }
    }
}

/// Milliseconds that the processor has worked for this thread: what others do on the machine does not count.
fn cpu_ms() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    u64::try_from(time.tv_sec * 1000 + time.tv_nsec / 1_000_000).unwrap()
}

/// The most that this process ever had in memory.
fn memory_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    kib << 10
}

/// What does not hold is told with the command that repeats it, and so is what takes too long.
#[test]
fn a_fault_is_told_with_its_case() {
    let told = |check: &dyn Fn(&[u8], &mut Chance) -> bool, cpu_ms_max| {
        let corpus = vec![b"good".to_vec()];
        let target = Target { name: "planted", corpus, tokens: &["bad"], cpu_ms_max, check };
        let panic = catch_unwind(AssertUnwindSafe(|| run(&target))).expect_err("a fault");
        *panic.downcast::<String>().expect("a text")
    };
    let bad = |input: &[u8], _: &mut Chance| {
        assert!(!input.windows(3).any(|window| window == b"bad"));
        true
    };
    let why = told(&bad, 1_000);
    assert!(why.contains("it panicked: planted, case ") && why.contains("bad"), "{why}");
    let repeat = why.split("--case ").nth(1).and_then(|rest| rest.lines().next());
    let case: u64 = repeat.expect("a command").parse().expect("a number");
    let corpus = vec![b"good".to_vec()];
    let target =
        Target { name: "planted", corpus, tokens: &["bad"], cpu_ms_max: 1_000, check: &bad };
    let again = catch_unwind(AssertUnwindSafe(|| judge(&target, asked("SEED").unwrap_or(1), case)));
    assert!(again.is_err(), "the case is the same again");

    let slow = |input: &[u8], _: &mut Chance| {
        let end = cpu_ms() + if input == b"good" { 0 } else { 30 };
        while cpu_ms() < end {}
        true
    };
    assert!(told(&slow, 20).contains("ms of the processor: planted, case 0"));
}

/// Ends the process if a case does not end.
struct Watch {
    stop: std::sync::mpsc::Sender<()>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Watch {
    fn begin(name: &'static str, seed: u64, begun: Arc<AtomicU64>) -> Watch {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let watch = move || {
            let (mut last, mut since) = (u64::MAX, Instant::now());
            let pause = Duration::from_millis(500);
            while stopped.recv_timeout(pause) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                let case = begun.load(Ordering::Relaxed);
                if case != last {
                    (last, since) = (case, Instant::now());
                } else if since.elapsed() > Duration::from_secs(HANG_S) {
                    eprintln!("it hangs: tools/fuzz --target {name} --seed {seed} --case {case}");
                    std::process::abort();
                }
            }
        };
        Watch { stop, thread: Some(std::thread::spawn(watch)) }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // It may be gone.
        self.stop.send(()).ok();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}
