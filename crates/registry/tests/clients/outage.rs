//! A bucket that cannot be reached for a while: the node says so, and recovers.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    bucket::CEPH,
    support::{
        curl::{Curl, Response, finish},
        digest,
        program::run,
        served::Served,
    },
};

/// A way to Ceph that can be cut. What passes through it while it is cut is held back.
struct Link {
    address: SocketAddr,
    cut: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Link {
    fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (cut, open) = (Arc::new(AtomicBool::new(false)), Arc::<Mutex<Vec<_>>>::default());
        let (is_cut, streams) = (Arc::clone(&cut), Arc::clone(&open));
        // Until the process ends.
        thread::spawn(move || {
            for client in listener.incoming().map(Result::unwrap) {
                let Ok(server) = TcpStream::connect(&server) else { continue };
                let mut streams = streams.lock().unwrap();
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let is_cut = Arc::clone(&is_cut);
                    thread::spawn(move || forward(from, to, &is_cut));
                }
                streams.extend([client, server]);
            }
        });
        Self { address, cut, open }
    }

    /// Holds everything back.
    fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
    }

    /// Repairs the way. Connections from before are gone.
    fn repair(&self) {
        for stream in self.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        self.cut.store(false, Ordering::SeqCst);
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream, is_cut: &AtomicBool) {
    let mut buffer = vec![0; 64 << 10];
    let mut copy = || -> io::Result<usize> {
        let length = from.read(&mut buffer)?;
        while is_cut.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(20));
        }
        to.write_all(&buffer[..length])?;
        Ok(length)
    };
    while copy().is_ok_and(|length| length > 0) {}
    let _ = to.shutdown(Shutdown::Both);
}

/// Asks until the status is the one that is `wanted`.
fn wait_for(curl: &Curl, path: &str, wanted: u16, limit: Duration) -> Response {
    let since = Instant::now();
    loop {
        let response = curl.ask(&[], path, None);
        if response.status == wanted {
            return response;
        }
        assert!(since.elapsed() < limit, "{path}: {response:?} after {limit:?}");
    }
}

#[test]
#[ignore = "starts Ceph, and installs it if it is missing"]
fn a_node_without_its_bucket_says_so_and_recovers() {
    let (Some(program), Some(access)) = (Curl::find(), CEPH.access()) else { return };
    let (_, server) = access.variables().find(|(name, _)| *name == "AWS_ENDPOINT").unwrap();
    let link = Link::to(server.strip_prefix("http://").unwrap().to_owned());
    let endpoint = format!("http://{}", link.address);
    let mut variables: Vec<_> = access.variables().filter(|it| it.0 != "AWS_ENDPOINT").collect();
    variables.extend([("AWS_ENDPOINT", &*endpoint), ("REGISTRY_STORE_TIMEOUT", "3s")]);
    let served = Served::spawn_with("s3://registry/outage", &variables);
    let curl = Curl::new(&program, &served);
    let content = b"a layer";
    let digest = digest(content);
    let push = || {
        let begun = curl.ask(&["-X", "POST"], "/v2/some/image/blobs/uploads/", None);
        match begun.status {
            202 => {
                curl.ask(&["-X", "PUT"], &finish(begun.header("location"), &digest), Some(content))
            }
            _ => begun,
        }
    };
    assert_eq!(push().status, 201);
    assert_eq!(wait_for(&curl, "/healthz", 200, Duration::from_secs(10)).body, b"ok\n");

    link.cut();
    let since = Instant::now();
    let health = wait_for(&curl, "/healthz", 503, Duration::from_secs(20));
    let noticed = since.elapsed();
    assert_eq!(health.header("retry-after"), "5");
    assert_eq!(curl.ask(&[], "/livez", None).status, 200);
    assert_eq!(curl.ask(&[], "/v2/", None).status, 200);
    for path in [&*format!("/v2/some/image/blobs/{digest}"), "/v2/some/image/tags/list"] {
        let since = Instant::now();
        let response = curl.ask(&[], path, None);
        assert_eq!((response.status, response.header("retry-after")), (503, "5"), "{response:?}");
        assert!(since.elapsed() < Duration::from_secs(10), "{path}: {:?}", since.elapsed());
    }
    let since = Instant::now();
    assert_eq!(push().status, 503);
    assert!(since.elapsed() < Duration::from_secs(10), "{:?}", since.elapsed());

    link.repair();
    let since = Instant::now();
    wait_for(&curl, "/healthz", 200, Duration::from_secs(60));
    let healthy = since.elapsed();
    // Past the capture of the harness.
    let _ = writeln!(io::stderr(), "noticed after {noticed:?}, healthy again after {healthy:?}");
    assert_eq!(push().status, 201);
    let pulled = run(program
        .command()
        .args(["--silent", "--fail", "--noproxy", "*"])
        .arg(format!("http://{}/v2/some/image/blobs/{digest}", served.address)));
    assert_eq!(pulled.as_bytes(), content);
}
