//! The files in `deploy/`, and the pages about them.

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy")
}

fn read(name: &str) -> String {
    fs::read_to_string(folder().join(name)).unwrap()
}

/// Runs a program that checks files; `None`, after a message, if it is not installed.
fn run(program: &str, arguments: &[&str]) -> Option<Output> {
    match Command::new(program).args(arguments).output() {
        Ok(output) => Some(output),
        Err(error) => {
            // Past the capture of the harness.
            let _ = writeln!(std::io::stderr(), "left out: {program}: {error}");
            None
        }
    }
}

#[track_caller]
fn succeeds(program: &str, arguments: &[&str]) {
    if let Some(output) = run(program, arguments) {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The words of `text` that begin with `start`.
fn words<'a>(text: &'a str, start: &'a str) -> BTreeSet<&'a str> {
    let is_separator = |it: char| !(it.is_ascii_alphanumeric() || it == '_' || it == ':');
    text.split(is_separator).filter(|word| word.starts_with(start)).collect()
}

#[test]
fn every_variable_is_a_setting() {
    for entry in fs::read_dir(folder()).unwrap() {
        let file = entry.unwrap().path();
        let text = fs::read_to_string(&file).unwrap();
        let names = words(&text, "REGISTRY_").into_iter().map(|it| it.trim_end_matches(':'));
        let mut command = Command::new(env!("CARGO_BIN_EXE_registry"));
        // Empty variables are not set, but their names are looked at.
        let command = command.arg("config").env_clear().envs(names.map(|name| (name, "")));
        let output = command.output().unwrap();
        let warnings = String::from_utf8(output.stderr).unwrap();
        assert!(!warnings.contains("unknown"), "{}: {warnings}", file.display());
    }
}

#[test]
fn the_units_are_valid() {
    let copies = TempDir::new().unwrap();
    for (name, instance) in
        [("registry.service", "registry.service"), ("registry@.service", "registry@5001.service")]
    {
        let unit = read(name).replace("/usr/local/bin/registry", env!("CARGO_BIN_EXE_registry"));
        let copy = copies.path().join(instance);
        fs::write(&copy, unit).unwrap();
        succeeds("systemd-analyze", &["verify", copy.to_str().unwrap()]);
    }
}

#[test]
fn the_manifests_are_yaml() {
    let python = Command::new("python3").args(["-c", "import yaml"]).output();
    if !python.is_ok_and(|it| it.status.success()) {
        let _ = writeln!(std::io::stderr(), "left out: no python3 with yaml");
        return;
    }
    let program = "import sys, yaml; list(yaml.safe_load_all(open(sys.argv[1])))";
    for name in ["compose.yaml", "kubernetes.yaml"] {
        succeeds("python3", &["-c", program, folder().join(name).to_str().unwrap()]);
    }
}

/// Against the schemas of Kubernetes, which a Python package has: `pip install kubernetes-validate`.
#[test]
fn the_kubernetes_manifest_is_valid() {
    let python = Command::new("python3").args(["-c", "import kubernetes_validate"]).output();
    if !python.is_ok_and(|it| it.status.success()) {
        let _ = writeln!(std::io::stderr(), "left out: no python3 with kubernetes-validate");
        return;
    }
    let program = "import sys, yaml, kubernetes_validate\n\
         for it in yaml.safe_load_all(open(sys.argv[1])):\n    \
         kubernetes_validate.validate(it, kubernetes_validate.latest_version(), strict=True)";
    succeeds("python3", &["-c", program, folder().join("kubernetes.yaml").to_str().unwrap()]);
}

#[test]
fn the_load_balancer_accepts_its_configuration() {
    let compose = read("compose.yaml");
    let (_, config) = compose.split_once("    content: |\n").unwrap();
    // The names of the nodes cannot be resolved here.
    let config = ["node1:", "node2:", "node3:"]
        .iter()
        .fold(config.to_owned(), |text, name| text.replace(name, "127.0.0.1:"));
    let copy = tempfile::NamedTempFile::new().unwrap();
    fs::write(copy.path(), config).unwrap();
    succeeds("haproxy", &["-c", "-f", copy.path().to_str().unwrap()]);
}

#[test]
fn the_policy_has_the_documented_actions() {
    let policy: serde_json::Value = serde_json::from_str(&read("bucket-policy.json")).unwrap();
    let statements = policy["Statement"].as_array().unwrap();
    let actions = statements.iter().flat_map(|it| it["Action"].as_array().unwrap());
    let actions: BTreeSet<_> = actions.map(|it| it.as_str().unwrap()).collect();
    let page = include_str!("../../MANY_MACHINES.md");
    assert_eq!(actions, words(page, "s3:").into_iter().filter(|it| *it != "s3:").collect());
}
