//! Repetitions and their times.

use std::time::{Duration, Instant};

/// When repetitions have taken long enough.
const LONG: Duration = Duration::from_secs(15);

/// What a task gives: names and values.
pub(crate) type Numbers = Vec<(&'static str, f64)>;

pub(crate) fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

pub(crate) fn percentiles(mut times: Vec<f64>) -> Numbers {
    times.sort_by(f64::total_cmp);
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
    vec![("n", times.len() as f64), ("p50", at(50)), ("p99", at(99)), ("max", at(100))]
}

/// Times of some repetitions; of fewer if they take long, but of five at least.
pub(crate) fn timed(reps: usize, mut step: impl FnMut(usize)) -> Numbers {
    timed_by(reps, |rep| {
        let began = Instant::now();
        step(rep);
        milliseconds(began)
    })
}

/// The same, where a step says itself what it took, because not all of it counts.
pub(crate) fn timed_by(reps: usize, mut step: impl FnMut(usize) -> f64) -> Numbers {
    let start = Instant::now();
    let mut times = Vec::new();
    for rep in 0..reps {
        times.push(step(rep));
        if times.len() >= 5 && start.elapsed() > LONG {
            break;
        }
    }
    percentiles(times)
}
