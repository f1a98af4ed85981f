//! [`Server`]: a server that a script starts for the tests of this program. The registry's tests use it too.

use std::{
    collections::BTreeMap,
    env,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

/// A server, which is started when the first test needs it. Its script ends with this process.
pub(crate) struct Server {
    pub(crate) name: &'static str,
    started: OnceLock<Option<Started>>,
}

struct Started {
    access: Access,
    /// The script stops when its standard input is closed, and at the latest by the system when this process ends.
    _script: Option<Child>,
}

/// How a server is reached: variables of the environment, as the engine knows them.
#[derive(Debug, Clone)]
pub(crate) struct Access(BTreeMap<String, String>);

impl Server {
    pub(crate) const fn new(name: &'static str) -> Self {
        Self { name, started: OnceLock::new() }
    }

    /// How the server is reached; `None`, after a line that says why, if it cannot be installed here. With
    /// `BUCKET_SERVERS_REQUIRED` that is a failure.
    pub(crate) fn access(&self) -> Option<&Access> {
        self.started.get_or_init(|| self.start()).as_ref().map(|started| &started.access)
    }

    fn start(&self) -> Option<Started> {
        let name = self.name;
        if let Ok(line) = env::var(format!("BUCKET_SERVER_{}", name.to_uppercase())) {
            return Some(Started { access: Access::parse(&line), _script: None });
        }
        // The tests of other crates use this file too.
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bucket/tests/servers");
        let mut script = Command::new(folder.join(format!("{name}.sh")))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(script.stdout.take().unwrap()).read_line(&mut line).unwrap();
        match line.trim().split_once(' ') {
            Some(("ready", access)) => {
                Some(Started { access: Access::parse(access), _script: Some(script) })
            }
            Some(("skipped:", why)) => {
                let required = env::var_os("BUCKET_SERVERS_REQUIRED").is_some();
                assert!(!required, "{name} is required (BUCKET_SERVERS_REQUIRED): {why}");
                // Past the capture of the harness.
                let _ = writeln!(std::io::stderr(), "skipped: {name}: {why}");
                None
            }
            _ => panic!("{name} did not start: {line}"),
        }
    }
}

impl Access {
    fn parse(line: &str) -> Self {
        let pairs = line.split_whitespace().filter_map(|pair| pair.split_once('='));
        Self(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// The variables with their values.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}
