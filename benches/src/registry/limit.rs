//! What the machine does with streams if there is no registry around them.

use std::{
    hint::black_box,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::Instant,
};

use sha2::{Digest, Sha256};

use crate::harness::{Figures, GIB, MIB, Random};

const SEED: u64 = 13;
const BUFFER: usize = 256 << 10;
/// How much is sent, on all connections together.
const SENT: u64 = 4 * GIB;
/// How much each core hashes.
const HASHED: u64 = GIB;

/// MiB a second from one thread to another by so many connections, as `push` and as `pull`.
pub(super) fn loopback(connections: usize) -> Figures {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let address = listener.local_addr().expect("it is bound");
    let pairs: Vec<(TcpStream, TcpStream)> = (0..connections)
        .map(|_| {
            let out = TcpStream::connect(address).expect("it is listened to");
            (out, listener.accept().expect("one was made").0)
        })
        .collect();
    let content = Random::new(SEED).bytes(BUFFER);
    let times = SENT as usize / BUFFER / connections;
    let start = Instant::now();
    thread::scope(|scope| {
        for (mut out, mut back) in pairs {
            let content = &content;
            scope.spawn(move || {
                for _ in 0..times {
                    out.write_all(content).expect("the other end reads");
                }
            });
            scope.spawn(move || {
                let mut buffer = vec![0; BUFFER];
                while back.read(&mut buffer).expect("the other end writes") > 0 {}
            });
        }
    });
    let sent = (times * connections * BUFFER) as u64;
    let rate = (sent / MIB) as f64 / start.elapsed().as_secs_f64();
    Figures::default().with("push", rate).with("pull", rate)
}

/// MiB of SHA-256 a second, as `push`: on one core, or for many blobs on all.
pub(super) fn hash(blobs: usize) -> Figures {
    let cores = thread::available_parallelism().map_or(1, usize::from).min(blobs);
    let content = Random::new(SEED).bytes(MIB as usize);
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                let mut hash = Sha256::new();
                for _ in 0..HASHED / MIB {
                    hash.update(black_box(&content));
                }
                black_box(hash.finalize());
            });
        }
    });
    let hashed = (cores as u64 * HASHED / MIB) as f64;
    Figures::default().with("push", hashed / start.elapsed().as_secs_f64())
}
