//! [`Script`]: a server that a script starts.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

/// The scripts of the object-store driver's tests, which install the server if it is missing.
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/bucket/tests/servers");

/// An object store, with an empty bucket. It stops, and its data is removed, when this is dropped.
#[derive(Debug)]
pub(crate) struct Script {
    process: Child,
    variables: BTreeMap<String, String>,
}

impl Script {
    /// Starts the server of this name, with `settings` in the environment of its script.
    ///
    /// # Panics
    ///
    /// If it cannot be started: there is nothing to be measured then.
    pub(crate) fn start(name: &str, settings: &[(&str, &str)]) -> Self {
        let mut process = Command::new(Path::new(SCRIPTS).join(format!("{name}.sh")))
            .envs(settings.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the script can be run");
        let mut line = String::new();
        let output = process.stdout.take().expect("it is piped");
        BufReader::new(output).read_line(&mut line).expect("it can be read");
        let ready = line.trim().strip_prefix("ready ");
        let ready = ready.unwrap_or_else(|| panic!("{name}: {line}"));
        let pairs = ready.split_whitespace().filter_map(|pair| pair.split_once('='));
        let variables = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { process, variables }
    }

    /// How it is reached: variables of the environment with their values.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of a variable.
    ///
    /// # Panics
    ///
    /// If the script does not set it.
    pub(crate) fn variable(&self, name: &str) -> &str {
        self.variables.get(name).unwrap_or_else(|| panic!("the script sets no {name}"))
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        // The script stops its server when its input ends.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}
