use std::{io::Write, net::*, process::*};
pub(crate) fn peer(storage: &str) -> Option<(Child, String)> {
    std::env::var_os("CLIENTS_PEER")?;
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut config = tempfile::NamedTempFile::new().unwrap();
    let st = match storage.strip_prefix("file://") {
        Some(d) => format!("filesystem:\n    rootdirectory: {d}"),
        None => "inmemory: {}".into(),
    };
    write!(config, "version: 0.1\nlog: {{level: error}}\nstorage:\n  {st}\n  delete: {{enabled: true}}\nhttp: {{addr: '{free}'}}\n").unwrap();
    let p = Command::new("docker-registry")
        .args(["serve".as_ref(), config.path()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while TcpStream::connect(free).is_err() {
        std::thread::yield_now();
    }
    Some((p, free.to_string()))
}
