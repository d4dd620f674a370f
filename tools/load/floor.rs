//! What the machine does at best: durable writes of 512 bytes in the current directory, copies, a local socket.

use crate::Options;
use crate::times::{Numbers, milliseconds, timed};
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::time::Instant;

pub(crate) fn floor(options: &Options) -> Numbers {
    let path = "bench-fdatasync";
    let file =
        OpenOptions::new().create(true).truncate(true).write(true).open(path).expect("a file");
    file.write_all_at(&vec![0; 16 << 20], 0).expect("space");
    file.sync_all().expect("a disk");
    let sync = timed(options.reps, |rep| {
        file.write_all_at(&[1; 512], rep as u64 % 32_768 * 512).expect("a write");
        file.sync_data().expect("a disk");
    });
    std::fs::remove_file(path).expect("the file");
    let source = vec![1_u8; 64 << 20];
    let mut copy = vec![0_u8; source.len()];
    copy.copy_from_slice(&source);
    let copying = timed(10, |_| {
        copy.copy_from_slice(std::hint::black_box(&source));
        std::hint::black_box(&copy);
    });
    let (mut near, far) = UnixStream::pair().expect("a socket");
    let echo = std::thread::spawn(move || echo_then_drain(far));
    let round_trip = timed(2000, |_| {
        near.write_all(&[1; 64]).expect("a socket");
        near.read_exact(&mut [0; 64]).expect("a socket");
    });
    let began = Instant::now();
    near.write_all(&source).expect("a socket");
    near.shutdown(std::net::Shutdown::Write).expect("a socket");
    echo.join().expect("the other end");
    let moved = source.len() as f64 / milliseconds(began) / 1e3;
    vec![
        ("fdatasync_p50", sync[1].1),
        ("fdatasync_p99", sync[2].1),
        ("memcpy_mb_per_s", source.len() as f64 / copying[1].1 / 1e3),
        ("socket_mb_per_s", moved),
        ("round_trip_p50", round_trip[1].1),
    ]
}

fn echo_then_drain(mut far: UnixStream) {
    let mut bytes = [0; 64];
    for _ in 0..2000 {
        far.read_exact(&mut bytes).expect("a socket");
        far.write_all(&bytes).expect("a socket");
    }
    let mut block = vec![0; 256 << 10];
    while far.read(&mut block).is_ok_and(|count| count > 0) {}
}
