//! [`Bucket`]: the bucket of a registry, whose requests are counted.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
};

use memchr::memmem;

use crate::harness::script::Script;

/// The end of the first line of a request. Blobs and manifests of the benchmarks do not contain it.
const REQUEST: &[u8] = b" HTTP/1.1\r\n";
const BUFFER: usize = 256 << 10;

/// A bucket of Ceph, reached through a proxy that counts requests.
#[derive(Debug)]
pub(super) struct Bucket {
    server: Script,
    proxy: SocketAddr,
    requests: Arc<AtomicU64>,
}

impl Bucket {
    pub(super) fn start() -> Self {
        // What is replaced is kept for a while, so there has to be room for more than is stored.
        let server = Script::start("ceph", &[("MEGABYTES", "10240")]);
        let target = server.variable("AWS_ENDPOINT").trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let proxy = listener.local_addr().expect("it is bound");
        let requests = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&requests);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if let Ok(server) = TcpStream::connect(&target) {
                    relay(client, server, &counted);
                }
            }
        });
        Self { server, proxy, requests }
    }

    /// How our program names it.
    pub(super) fn url(&self) -> String {
        format!("s3://{}/ours?endpoint={}", self.server.variable("AWS_BUCKET"), self.endpoint())
    }

    /// The environment of our program.
    pub(super) fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        let is_needed = |name: &str| !matches!(name, "AWS_BUCKET" | "AWS_ENDPOINT");
        self.server.variables().filter(move |&(name, _)| is_needed(name))
    }

    /// The driver in the configuration of distribution.
    pub(super) fn for_distribution(&self) -> String {
        let value = |name| self.server.variable(name);
        format!(
            "s3: {{regionendpoint: '{}', accesskey: '{}', secretkey: '{}', region: {}, bucket: {}, \
             secure: false, rootdirectory: /distribution}}",
            self.endpoint(),
            value("AWS_ACCESS_KEY_ID"),
            value("AWS_SECRET_ACCESS_KEY"),
            value("AWS_REGION"),
            value("AWS_BUCKET"),
        )
    }

    /// How many requests were sent to it so far.
    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Relaxed)
    }

    fn endpoint(&self) -> String {
        format!("http://{}", self.proxy)
    }
}

/// Copies in both directions, by a thread for each, until one side closes.
fn relay(client: TcpStream, server: TcpStream, requests: &Arc<AtomicU64>) {
    for stream in [&client, &server] {
        let _ = stream.set_nodelay(true);
    }
    let (Ok(from_client), Ok(from_server)) = (client.try_clone(), server.try_clone()) else {
        return;
    };
    let requests = Arc::clone(requests);
    thread::spawn(move || {
        let mut counter = Counter::default();
        copy(from_client, server, |bytes| {
            requests.fetch_add(counter.count(bytes), Relaxed);
        });
    });
    thread::spawn(move || copy(from_server, client, |_| {}));
}

fn copy(mut from: TcpStream, mut to: TcpStream, mut seen: impl FnMut(&[u8])) {
    let mut buffer = vec![0; BUFFER];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        seen(&buffer[..length]);
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
    let _ = from.shutdown(Shutdown::Read);
}

/// Counts [`REQUEST`] in a stream that is read in pieces.
#[derive(Debug, Default)]
struct Counter {
    /// The end of the piece before, shorter than what is counted.
    tail: Vec<u8>,
}

impl Counter {
    fn count(&mut self, piece: &[u8]) -> u64 {
        let keep = REQUEST.len() - 1;
        let mut seam = std::mem::take(&mut self.tail);
        seam.extend_from_slice(&piece[..piece.len().min(keep)]);
        let count =
            memmem::find_iter(&seam, REQUEST).count() + memmem::find_iter(piece, REQUEST).count();
        let end = if piece.len() < keep { &seam } else { piece };
        self.tail = end[end.len().saturating_sub(keep)..].to_vec();
        count as u64
    }
}

#[test]
fn requests_are_counted_wherever_the_stream_is_cut() {
    let stream = b"PUT /a HTTP/1.1\r\nhost: b\r\n\r\nGET /c HTTP/1.1\r\n\r\n".repeat(3);
    for size in 1..=stream.len() {
        let mut counter = Counter::default();
        let count: u64 = stream.chunks(size).map(|piece| counter.count(piece)).sum();
        assert_eq!(count, 6, "in pieces of {size}");
    }
}
