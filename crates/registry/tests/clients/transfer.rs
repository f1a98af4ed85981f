//! skopeo: images that are pushed, pulled, and copied within a registry.

use std::process::{Child, Output};

use crate::{
    on_each_storage,
    skopeo::{PULL, PUSH},
    support::{
        fixture::{Fixture, LARGE, SMALL},
        layout::{Layout, assert_same_image, parse},
        program::{Program, text},
        served::{Served, Storage},
    },
};

on_each_storage! {
    an_image_is_pulled_as_it_was_pushed,
    an_image_is_copied_to_another_repository_by_mounts,
    existing_blobs_are_not_pushed_again,
    many_push_the_same_image_at_once,
    a_docker_manifest_is_kept_as_it_is,
    a_layer_whose_size_is_not_known_before_is_pushed,
}

fn an_image_is_pulled_as_it_was_pushed(storage: Storage) {
    let (Some(skopeo), Some(fixture)) = (Program::find("skopeo"), Fixture::shared()) else {
        return;
    };
    let served = Served::start(storage);
    let image = served.docker("some/image:v1");
    skopeo.run(&[&PUSH[..], &[&fixture.layout.oci(LARGE), &image]].concat());
    let folder = tempfile::tempdir().unwrap();
    let pulled = Layout::at(folder.path().join("pulled"));
    skopeo.run(&[&PULL[..], &[&image, &pulled.oci(LARGE)]].concat());
    assert_same_image(&pulled, &fixture.layout, LARGE);
}

fn an_image_is_copied_to_another_repository_by_mounts(storage: Storage) {
    let (Some(skopeo), Some(fixture)) = (Program::find("skopeo"), Fixture::shared()) else {
        return;
    };
    let served = Served::start(storage);
    let [one, other] = ["one/image:v1", "another/image:v2"].map(|image| served.docker(image));
    skopeo.run(&[&PUSH[..], &[&fixture.layout.oci(LARGE), &one]].concat());
    let log = logged(&skopeo, &["--src-tls-verify=false", &one, &other]);
    // skopeo always reads the configuration, and pushes it.
    let layers = fixture.layout.closure(LARGE).len() - 2;
    assert_eq!(log.matches("... mount OK").count(), layers, "{log}");
    assert_eq!(log.matches("PATCH http").count(), 1, "{log}");

    let folder = tempfile::tempdir().unwrap();
    let pulled = Layout::at(folder.path().join("pulled"));
    skopeo.run(&[&PULL[..], &[&other, &pulled.oci(LARGE)]].concat());
    assert_same_image(&pulled, &fixture.layout, LARGE);
}

/// Copies, and returns the log of skopeo.
#[track_caller]
fn logged(skopeo: &Program, copy: &[&str]) -> String {
    let command = skopeo.command().arg("--debug").args(PUSH).args(copy).output();
    let Output { status, stderr, .. } = command.unwrap();
    let log = String::from_utf8(stderr).unwrap();
    assert!(status.success(), "{log}");
    log
}

fn existing_blobs_are_not_pushed_again(storage: Storage) {
    let (Some(skopeo), Some(fixture)) = (Program::find("skopeo"), Fixture::shared()) else {
        return;
    };
    let served = Served::start(storage);
    let push = |tag: &str| {
        let image = served.docker(&format!("some/image:{tag}"));
        logged(&skopeo, &[&fixture.layout.oci(SMALL), &image]).matches("PATCH http").count()
    };
    assert_eq!(push("v1"), 2);
    assert_eq!(push("v2"), 0);
}

fn many_push_the_same_image_at_once(storage: Storage) {
    let (Some(skopeo), Some(fixture)) = (Program::find("skopeo"), Fixture::shared()) else {
        return;
    };
    let served = Served::start(storage);
    // The same layers, into one repository and into others.
    let images = ["some/image:v1", "some/image:v1", "some/image:v2", "some/other:v1"];
    let from = fixture.layout.oci(SMALL);
    let push = |image: &&str| {
        skopeo.command().args(PUSH).args([&from, &served.docker(image)]).spawn().unwrap()
    };
    let pushes: Vec<Child> = images.iter().map(push).collect();
    for push in pushes {
        let Output { status, stderr, .. } = push.wait_with_output().unwrap();
        assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    }
    for image in images {
        let folder = tempfile::tempdir().unwrap();
        let pulled = Layout::at(folder.path().join("pulled"));
        skopeo.run(&[&PULL[..], &[&served.docker(image), &pulled.oci(SMALL)]].concat());
        assert_same_image(&pulled, &fixture.layout, SMALL);
    }
}

fn a_docker_manifest_is_kept_as_it_is(storage: Storage) {
    let (Some(skopeo), Some(fixture)) = (Program::find("skopeo"), Fixture::shared()) else {
        return;
    };
    let served = Served::start(storage);
    let image = served.docker("some/image:docker");
    let from = fixture.layout.oci(SMALL);
    skopeo.run(&[&PUSH[..], &["--format", "v2s2", &from, &image]].concat());
    let raw = skopeo.run(&["inspect", "--raw", "--tls-verify=false", &image]);
    let manifest = parse(raw.as_bytes());
    let media_type = "application/vnd.docker.distribution.manifest.v2+json";
    assert_eq!(manifest["mediaType"], media_type);
    let folder = tempfile::tempdir().unwrap();
    skopeo.run(&[&PULL[..], &[&image, &format!("dir:{}", text(folder.path()))]].concat());
    let pulled = std::fs::read(folder.path().join("manifest.json")).unwrap();
    assert_eq!(pulled, raw.as_bytes());
    let layer = fixture.layout.closure(SMALL)[2].clone();
    assert_eq!(manifest["layers"][0]["digest"], layer);
    let pulled = std::fs::read(folder.path().join(layer.trim_start_matches("sha256:"))).unwrap();
    assert!(pulled == fixture.layout.blob(&layer));
}

fn a_layer_whose_size_is_not_known_before_is_pushed(storage: Storage) {
    let (Some(skopeo), Some(fixture)) = (Program::find("skopeo"), Fixture::shared()) else {
        return;
    };
    let served = Served::start(storage);
    let image = served.docker("some/image:zstd");
    let from = fixture.layout.oci(SMALL);
    // It is compressed while it is sent.
    skopeo.run(&[&PUSH[..], &["--dest-compress-format", "zstd", &from, &image]].concat());
    let raw = skopeo.run(&["inspect", "--raw", "--tls-verify=false", &image]);
    let manifest = parse(raw.as_bytes());
    let zstd = "application/vnd.oci.image.layer.v1.tar+zstd";
    assert_eq!(manifest["layers"][0]["mediaType"], zstd);
    let folder = tempfile::tempdir().unwrap();
    let pulled = Layout::at(folder.path().join("pulled"));
    skopeo.run(&[&PULL[..], &[&image, &pulled.oci("zstd")]].concat());
    assert_eq!(pulled.manifest("zstd"), raw.as_bytes());
    for (digest, blob) in pulled.blobs() {
        assert_eq!(digest, crate::support::digest(&blob));
    }
}
