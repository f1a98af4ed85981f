//! The settings of the program: the order of their sources, and the messages about errors.
use std::{
    collections::BTreeSet,
    fs,
    process::{Command, Output},
};

use tempfile::TempDir;

fn registry(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_registry"))
        .args(arguments)
        .env_clear()
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

/// The output of `registry config`.
fn config(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let output = registry(&[&["config"], arguments].concat(), variables);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn line(config: &str, key: &str) -> String {
    let mut lines = config.lines().filter(|line| line.starts_with(&format!("{key} = ")));
    lines.next().unwrap_or_default().to_owned()
}

struct File {
    _directory: TempDir,
    path: String,
}

fn file(text: &str) -> File {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("registry.toml").to_str().unwrap().to_owned();
    fs::write(&path, text).unwrap();
    File { _directory: directory, path }
}

/// The single line that a failure prints, with exit code 1.
fn failure(arguments: &[&str]) -> String {
    let output = registry(arguments, &[]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

const EVERYTHING: &str = r#"storage = "file:///srv/my%20registry?durability=data"
redirect = "1MiB"
listen = "[::1]:443"
metrics-listen = "127.0.0.1:9"
tls-cert = "a.crt"
tls-key = "a.key"
web-ui = false
htpasswd = "users"
anonymous-pull = true
token-key = "token.key"
external-url = "https://registry.example"
trust-proxy = true
read-only = true
delete = false
immutable-tags = true
sparse-indexes = true
max-blob-size = "1001"
max-manifest-size = "1KiB"
manifest-memory = "1GiB"
cache-memory = "0"
max-uploads = 3
max-open-uploads = 8
max-connections = 4
header-timeout = "1m 1s"
body-timeout = "5ms"
write-timeout = "2h"
store-timeout = "9s"
shutdown-delay = "3s"
shutdown-grace = "0s"
gc-interval = "12h"
gc-grace = "1s"
gc-untagged = true
gc-deep = true
node = "a node"
upload-ttl = "1day"
log-format = "json"
log = "warn,registry=debug"

[[access]]
repositories = "team/*"
users = ["alice", "*"]
actions = ["pull", "push", "delete"]

[[access]]
repositories = "*"
users = []
actions = []
"#;

#[test]
fn each_source_overrides_the_next() {
    let file = file("max-uploads = 2\n");
    let from_file: &[&str] = &["--config", &file.path];
    let of = |arguments: &[&str], variables: &[(&str, &str)]| {
        line(&config(arguments, variables), "max-uploads")
    };
    let variable: &[(&str, &str)] = &[("REGISTRY_MAX_UPLOADS", "3")];
    assert_eq!(of(&[], &[]), "max-uploads = 4096");
    assert_eq!(of(from_file, &[]), "max-uploads = 2");
    assert_eq!(of(from_file, variable), "max-uploads = 3");
    assert_eq!(of(&[from_file, &["--max-uploads", "4"]].concat(), variable), "max-uploads = 4");
}

#[test]
fn a_source_does_not_change_settings_that_it_lacks() {
    let file = file("web-ui = false\n");
    let config = config(&["--config", &file.path, "--delete=no"], &[("REGISTRY_READ_ONLY", "1")]);
    assert_eq!(line(&config, "web-ui"), "web-ui = false");
    assert_eq!(line(&config, "delete"), "delete = false");
    assert_eq!(line(&config, "read-only"), "read-only = true");
    assert_eq!(line(&config, "immutable-tags"), "immutable-tags = false");
}

#[test]
fn a_flag_without_a_value_is_true() {
    let config = config(&["--read-only", "--gc-untagged"], &[("REGISTRY_READ_ONLY", "off")]);
    assert_eq!(line(&config, "read-only"), "read-only = true");
    assert_eq!(line(&config, "gc-untagged"), "gc-untagged = true");
}

#[test]
fn a_flag_can_turn_off_a_setting_of_the_file() {
    let file = file("gc-interval = \"1h\"\n");
    let config = config(&["--config", &file.path, "--gc-interval", "off"], &[]);
    assert_eq!(line(&config, "gc-interval"), "gc-interval = \"off\"");
}

#[test]
fn the_file_may_be_named_in_the_environment() {
    let file = file("web-ui = false\n");
    let config = config(&[], &[("REGISTRY_CONFIG", &file.path)]);
    assert_eq!(line(&config, "web-ui"), "web-ui = false");
}

#[test]
fn settings_are_printed_in_the_format_of_the_file() {
    let file = file(EVERYTHING);
    assert_eq!(config(&["--config", &file.path], &[]), EVERYTHING);
}

#[test]
fn the_defaults_are_printed_in_the_format_of_the_file() {
    let defaults = config(&[], &[]);
    assert_eq!(config(&["--config", &file(&defaults).path], &[]), defaults);
}

/// The example, and the same with its settings in effect instead of commented out.
fn example() -> (String, String) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/registry.toml");
    let text = fs::read_to_string(path).unwrap();
    let in_effect = text.lines().map(|line| match line.strip_prefix('#') {
        Some(setting) if setting.starts_with(|c: char| c.is_ascii_lowercase()) => setting,
        _ => line,
    });
    let in_effect = in_effect.collect::<Vec<_>>().join("\n");
    (text, in_effect)
}

#[test]
fn the_example_is_the_defaults() {
    let (text, in_effect) = example();
    let defaults = config(&[], &[]);
    assert_eq!(config(&["--config", &file(&text).path], &[]), defaults);
    assert_eq!(config(&["--config", &file(&in_effect).path], &[]), defaults);
    let keys = |text: &str| -> BTreeSet<String> {
        let table: toml::Table = text.parse().unwrap();
        table.keys().cloned().collect()
    };
    assert_eq!(keys(&in_effect), keys(&defaults));
}

#[test]
fn the_example_mentions_every_setting() {
    let (text, _) = example();
    let everything: toml::Table = EVERYTHING.parse().unwrap();
    for key in everything.keys() {
        assert!(text.contains(&format!("{key} = ")) || key == "access", "{key}");
    }
    assert!(text.contains("[[access]]"));
}

#[test]
fn the_rules_of_the_example_are_rules() {
    let (text, _) = example();
    let (_, rules) = text.split_once("# [[access]]").unwrap();
    let rules = format!("htpasswd = 'a'\n[[access]]{}", rules.replace("\n#", "\n"));
    assert_eq!(config(&["--config", &file(&rules).path], &[]).matches("[[access]]").count(), 2);
}

#[test]
fn a_bad_file_is_named_with_line_and_key() {
    let file = file("web-ui = true\nmax-blob-size = \"much\"\n");
    let text = failure(&["config", "--config", &file.path]);
    let start = format!("registry: {}:2: max-blob-size: `much`: not a size", file.path);
    assert!(text.starts_with(&start), "{text}");
}

#[test]
fn an_unknown_key_is_an_error() {
    let file = file("paeg = true\n");
    let text = failure(&["serve", "--config", &file.path]);
    assert_eq!(text, format!("registry: {}:1: unknown field `paeg`\n", file.path));
}

#[test]
fn a_missing_file_is_an_error() {
    let text = failure(&["config", "--config", "absent.toml"]);
    assert!(text.starts_with("registry: cannot read absent.toml: "), "{text}");
}

#[test]
fn a_certificate_needs_a_key() {
    assert!(failure(&["config", "--tls-cert", "a"]).contains("`tls-key`"));
}

#[test]
fn settings_that_need_users_are_an_error_without_them() {
    let file = file("[[access]]\nrepositories = '*'\nusers = []\nactions = []\n");
    for (name, arguments) in [
        ("access", &["--config", &file.path][..]),
        ("anonymous-pull", &["--anonymous-pull"]),
        ("token-key", &["--token-key=a"]),
        ("external-url", &["--external-url=https://a"]),
        ("trust-proxy", &["--trust-proxy"]),
    ] {
        let text = failure(&[&["serve"], arguments].concat());
        assert!(text.contains(&format!("`{name}` needs `htpasswd`")), "{text}");
    }
    config(&["--anonymous-pull=false", "--trust-proxy=false"], &[]);
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let file = file("max-uploads = 2\n");
    let variables =
        [("REGISTRY_MAX_UPLOADS", ""), ("REGISTRY_TLS_CERT", ""), ("REGISTRY_WEB_UI", "")];
    let printed = config(&["--config", &file.path], &variables);
    assert_eq!(line(&printed, "max-uploads"), "max-uploads = 2");
    assert_eq!(line(&printed, "tls-cert"), "");
    config(&[], &[("REGISTRY_CONFIG", ""), ("REGISTRY_LISTEN", "")]);
}

/// The warnings of `registry config`.
fn warnings(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let output = registry(&[&["config"], arguments].concat(), variables);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn unknown_variables_are_warned_of() {
    let root = ("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", "/srv/secret");
    let text = warnings(&[], &[root, ("REGISTRY_LSITEN", ":80"), ("REGISTRY_LISTEN", ":80")]);
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.contains("ROOTDIRECTORY is unknown and ignored; see REGISTRY_STORAGE"), "{text}");
    assert!(text.contains("REGISTRY_LSITEN is unknown and ignored"), "{text}");
    assert!(!text.contains("secret"), "{text}");
}

#[test]
fn settings_without_effect_are_warned_of() {
    assert!(warnings(&["--gc-untagged"], &[]).contains("`gc-untagged`"));
    let text = warnings(&["--read-only", "--gc-interval=1h"], &[]);
    assert!(text.contains("`gc-interval`") && text.contains("`read-only`"), "{text}");
    assert_eq!(warnings(&["--gc-untagged", "--gc-interval=1h"], &[]), "");
}

#[test]
fn a_collection_warns_of_unknown_variables_and_of_a_store_in_memory() {
    let root = ("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", "/srv/secret");
    let output = registry(&["gc", "--dry-run"], &[root]);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("ROOTDIRECTORY is unknown and ignored; see REGISTRY_STORAGE"), "{text}");
    assert!(text.contains("a store in memory has nothing to collect; see `storage`"), "{text}");
}

#[test]
fn a_file_of_settings_may_begin_with_a_byte_order_mark() {
    let file = file("\u{feff}max-uploads = 2\n");
    assert_eq!(line(&config(&["--config", &file.path], &[]), "max-uploads"), "max-uploads = 2");
}

#[test]
fn a_bad_flag_is_a_usage_error() {
    for flag in ["--max-uploads=0", "--storage=ftp://host", "--header-timeout=5", "--log=a=b=c"] {
        let output = registry(&["serve", flag], &[]);
        assert_eq!(output.status.code(), Some(2), "{flag}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains(&flag[..flag.find('=').unwrap()]), "{text}");
    }
}

#[test]
fn uploads_that_would_be_cancelled_at_once_are_an_error() {
    for ttl in ["0s", "0"] {
        let output = registry(&["config", &format!("--upload-ttl={ttl}")], &[]);
        assert!(!output.status.success());
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains("upload-ttl"), "{error}");
    }
}

#[test]
fn a_warning_reports_that_the_memory_for_manifests_is_raised() {
    for (given, is_raised) in [("--manifest-memory=1MiB", true), ("--manifest-memory=1GiB", false)]
    {
        let output = registry(&["config", given], &[]);
        let warnings = String::from_utf8(output.stderr).unwrap();
        assert_eq!(warnings.contains("is raised to 128MiB"), is_raised, "{warnings}");
    }
}
