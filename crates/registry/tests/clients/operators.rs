//! What operators of a registry on Ceph rely on: redirects, `registry check`, and the rights of `deploy/bucket-policy.json`.

use std::{fs, process::Command};

use crate::{
    bucket::CEPH,
    skopeo::{PULL, PUSH},
    support::{
        curl::{Curl, finish},
        digest,
        fixture::{Fixture, LARGE, SMALL},
        layout::{Layout, assert_same_image},
        program::{Program, run, text},
        random::Random,
        served::Served,
    },
};

const STORAGE: &str = "s3://registry/operators";

/// The variables for Ceph, and these.
fn variables<'a>(
    access: impl Iterator<Item = (&'a str, &'a str)>,
    others: &[(&'a str, &'a str)],
) -> Vec<(&'a str, &'a str)> {
    access
        .filter(|(name, _)| !others.iter().any(|(it, _)| it == name))
        .chain(others.iter().copied())
        .collect()
}

/// The bytes of all responses to clients.
fn sent(curl: &Curl) -> u64 {
    let metrics = String::from_utf8(curl.ask(&[], "/metrics", None).body).unwrap();
    let mut lines = metrics.lines();
    lines
        .find_map(|line| line.strip_prefix("registry_http_sent_bytes_total "))
        .unwrap()
        .parse()
        .unwrap()
}

#[test]
#[ignore = "starts Ceph, and installs it if it is missing"]
fn no_byte_of_a_redirected_download_passes_through_the_registry() {
    let (Some(program), Some(access)) = (Curl::find(), CEPH.access()) else { return };
    let variables = variables(access.variables(), &[("REGISTRY_REDIRECT", "always")]);
    let served = Served::spawn_with(STORAGE, &variables);
    let curl = Curl::new(&program, &served);
    let content = Random::new(7).bytes(20_000_001);
    let digest = digest(&content);
    let end = finish(&curl.begin("some/image"), &digest);
    assert_eq!(curl.ask(&["-X", "PUT"], &end, Some(&content)).status, 201);
    let blob = format!("/v2/some/image/blobs/{digest}");

    let response = curl.ask(&[], &blob, None);
    assert_eq!(response.status, 307, "{response:?}");
    let before = sent(&curl);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("blob");
    let url = format!("http://{}{blob}", served.address);
    let download = |options: &[&str]| {
        let fixed = ["--silent", "--show-error", "--fail", "--location", "--noproxy", "*"];
        let target = ["--output", text(&file), "--write-out", "%{http_code} %{content_type}", &url];
        let status = program.run(&[&fixed[..], options, &target].concat());
        (status, fs::read(&file).unwrap())
    };
    let (status, whole) = download(&[]);
    assert_eq!(status, "200 application/octet-stream");
    assert!(whole == content);
    let (status, part) = download(&["--range", "1000-1999"]);
    assert_eq!(status, "206 application/octet-stream");
    assert!(part == content[1000..2000]);
    let (status, end) = download(&["--range", "-5"]);
    assert_eq!((&*status, &*end), ("206 application/octet-stream", &content[content.len() - 5..]));
    assert_eq!(sent(&curl) - before, 0);

    // What the registry keeps to itself.
    assert_eq!(curl.ask(&["--head"], &blob, None).header("content-length"), "20000001");
    let several = curl.ask(&["-H", "Range: bytes=0-9,100000-100009"], &blob, None);
    assert_eq!(several.status, 206);
    let unknown = curl.ask(&[], &blob.replace("some/image", "other"), None);
    assert_eq!(unknown.status, 404);
}

#[test]
#[ignore = "starts Ceph, and installs it if it is missing"]
fn skopeo_follows_redirects() {
    let (Some(skopeo), Some(curl), Some(fixture), Some(access)) =
        (Program::find("skopeo"), Curl::find(), Fixture::shared(), CEPH.access())
    else {
        return;
    };
    let variables = variables(access.variables(), &[("REGISTRY_REDIRECT", "always")]);
    let served = Served::spawn_with(STORAGE, &variables);
    let curl = Curl::new(&curl, &served);
    let image = served.docker("redirected/image:v1");
    skopeo.run(&[&PUSH[..], &[&fixture.layout.oci(LARGE), &image]].concat());
    let before = sent(&curl);
    let folder = tempfile::tempdir().unwrap();
    let pulled = Layout::at(folder.path().join("pulled"));
    skopeo.run(&[&PULL[..], &[&image, &pulled.oci(LARGE)]].concat());
    assert_same_image(&pulled, &fixture.layout, LARGE);
    // Manifests, configurations and small layers.
    let sent = sent(&curl) - before;
    assert!(sent < 1 << 20, "{sent}");
}

/// The line that `registry check` fails with.
fn mistake(variables: &[(&str, &str)], storage: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_registry"));
    command.args(["check", "--storage", storage]).env_clear().envs(variables.iter().copied());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8(output.stderr).unwrap();
    text.lines().last().unwrap().to_owned()
}

#[test]
#[ignore = "starts Ceph, and installs it if it is missing"]
fn a_check_names_each_mistake() {
    let Some(access) = CEPH.access() else { return };
    for (variable, value, sentence) in [
        ("AWS_ACCESS_KEY_ID", "unknown", "the store does not know the access key"),
        ("AWS_SECRET_ACCESS_KEY", "wrong", "the secret key is wrong"),
    ] {
        let variables = variables(access.variables(), &[(variable, value)]);
        let line = mistake(&variables, STORAGE);
        assert!(line.contains(sentence), "{line}");
        assert!(!line.contains("testsecret"), "{line}");
    }
    let variables = variables(access.variables(), &[]);
    let line = mistake(&variables, "s3://no-such-bucket/operators");
    assert!(line.contains("the bucket does not exist"), "{line}");
    let variables = [&variables[..], &[("AWS_ENDPOINT", "http://127.0.0.1:1")]].concat();
    let line = mistake(&variables, STORAGE);
    assert!(line.starts_with("registry: cannot use the store"), "{line}");

    let mut command = Command::new(env!("CARGO_BIN_EXE_registry"));
    let command = command.args(["check", "--storage", STORAGE]).env_clear();
    let found = run(command.envs(access.variables()));
    for line in ["several processes at once: yes\n", "redirects: yes\n", "the store can be used\n"]
    {
        assert!(found.contains(line), "{found}");
    }
}

#[test]
#[ignore = "starts Ceph, and installs it if it is missing"]
fn a_user_with_the_rights_of_the_policy_can_push_pull_delete_and_collect() {
    let (Some(skopeo), Some(curl), Some(fixture), Some(access)) =
        (Program::find("skopeo"), Curl::find(), Fixture::shared(), CEPH.access())
    else {
        return;
    };
    let value = |name| access.variables().find(|(it, _)| *it == name).unwrap().1;
    let policy = include_str!("../../deploy/bucket-policy.json")
        .replace("BUCKET/PREFIX", "registry/limited")
        .replace("BUCKET", "registry")
        .replace("PRINCIPAL", "arn:aws:iam:::user/limited");
    let owner = format!("{}:{}", value("AWS_ACCESS_KEY_ID"), value("AWS_SECRET_ACCESS_KEY"));
    let url = format!("{}/registry?policy=", value("AWS_ENDPOINT"));
    let hash = digest(policy.as_bytes()).replace("sha256:", "x-amz-content-sha256: ");
    let signed = ["--aws-sigv4", "aws:amz:us-east-1:s3", "--user", &owner, "--header", &hash];
    let put = ["--noproxy", "*", "--silent", "--fail", "-X", "PUT", "--data-binary", &policy, &url];
    curl.run(&[&signed[..], &put].concat());

    let keys = [
        ("AWS_ACCESS_KEY_ID", "limited"),
        ("AWS_SECRET_ACCESS_KEY", "limitedsecret"),
        ("REGISTRY_REDIRECT", "always"),
    ];
    let limited = variables(access.variables(), &keys);
    let line = mistake(&limited, "s3://registry/elsewhere");
    assert!(line.contains("the credentials do not allow this request"), "{line}");

    let storage = "s3://registry/limited";
    let served = Served::spawn_with(storage, &limited);
    let image = served.docker("some/image:v1");
    for tag in [SMALL, LARGE] {
        skopeo.run(&[&PUSH[..], &[&fixture.layout.oci(tag), &image]].concat());
        let folder = tempfile::tempdir().unwrap();
        let pulled = Layout::at(folder.path().join("pulled"));
        skopeo.run(&[&PULL[..], &[&image, &pulled.oci(tag)]].concat());
        assert_same_image(&pulled, &fixture.layout, tag);
    }
    // An upload in parts, one that is cancelled, and one that is abandoned.
    let curl = Curl::new(&curl, &served);
    let content = Random::new(9).bytes(18_000_000);
    let (first, second) = content.split_at(9_000_000);
    let upload = curl.begin("some/image");
    let begun = curl.ask(&["-X", "PATCH"], &upload, Some(first));
    assert_eq!(begun.status, 202, "{begun:?}");
    let end = finish(begun.header("location"), &digest(&content));
    assert_eq!(curl.ask(&["-X", "PUT"], &end, Some(second)).status, 201);
    for cancels in [true, false] {
        let begun = curl.ask(&["-X", "PATCH"], &curl.begin("some/image"), Some(first));
        let location = begun.header("location").to_owned();
        if cancels {
            assert_eq!(curl.ask(&["-X", "DELETE"], &location, None).status, 204);
        }
    }
    skopeo.run(&["delete", "--tls-verify=false", &image]);
    drop(served);
    let mut gc = Command::new(env!("CARGO_BIN_EXE_registry"));
    let gc =
        gc.args(["gc", "--gc-grace=0s", "--gc-untagged", "--upload-ttl=1ms", "--storage", storage]);
    let report = run(gc
        .env_clear()
        .envs(limited.iter().filter(|(it, _)| !it.starts_with("REGISTRY_")).copied()));
    assert!(!report.starts_with("0 blobs") && report.contains("1 uploads deleted"), "{report}");
}
