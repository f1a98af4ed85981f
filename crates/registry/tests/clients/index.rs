//! skopeo: an index of images for several platforms.

use crate::{
    on_each_storage,
    skopeo::{PULL, PUSH},
    support::{
        fixture::{ARM, Fixture, INDEX, SMALL},
        layout::{Layout, assert_same_image},
        program::Program,
        served::{Served, Storage},
    },
};

on_each_storage! {
    an_index_is_pulled_with_every_image,
    an_image_of_an_index_is_pulled_for_a_platform,
    an_index_is_copied_to_another_repository,
}

fn an_index_is_pulled_with_every_image(storage: Storage) {
    let (Some(skopeo), Some(fixture)) = (Program::find("skopeo"), Fixture::shared()) else {
        return;
    };
    let served = Served::start(storage);
    let image = served.docker("some/image:v1");
    skopeo.run(&[&PUSH[..], &["--all", &fixture.layout.oci(INDEX), &image]].concat());
    let raw = skopeo.run(&["inspect", "--raw", "--tls-verify=false", &image]);
    assert_eq!(raw.as_bytes(), fixture.layout.manifest(INDEX));
    let folder = tempfile::tempdir().unwrap();
    let pulled = Layout::at(folder.path().join("pulled"));
    skopeo.run(&[&PULL[..], &["--all", &image, &pulled.oci(INDEX)]].concat());
    assert_same_index(&pulled, &fixture.layout);
}

fn an_image_of_an_index_is_pulled_for_a_platform(storage: Storage) {
    let (Some(skopeo), Some(fixture)) = (Program::find("skopeo"), Fixture::shared()) else {
        return;
    };
    let served = Served::start(storage);
    let image = served.docker("some/image:v1");
    skopeo.run(&[&PUSH[..], &["--all", &fixture.layout.oci(INDEX), &image]].concat());
    for (architecture, tag) in [("amd64", SMALL), ("arm64", ARM)] {
        let folder = tempfile::tempdir().unwrap();
        let pulled = Layout::at(folder.path().join("pulled"));
        let platform = ["--override-arch", architecture, "--override-os", "linux"];
        skopeo.run(&[&platform, &PULL[..], &[&image, &pulled.oci(tag)]].concat());
        assert_same_image(&pulled, &fixture.layout, tag);
    }
}

fn an_index_is_copied_to_another_repository(storage: Storage) {
    let (Some(skopeo), Some(fixture)) = (Program::find("skopeo"), Fixture::shared()) else {
        return;
    };
    let served = Served::start(storage);
    let [one, other] = ["one/image:v1", "another/image:v2"].map(|image| served.docker(image));
    skopeo.run(&[&PUSH[..], &["--all", &fixture.layout.oci(INDEX), &one]].concat());
    skopeo.run(&[&PUSH[..], &["--all", "--src-tls-verify=false", &one, &other]].concat());
    let folder = tempfile::tempdir().unwrap();
    let pulled = Layout::at(folder.path().join("pulled"));
    skopeo.run(&[&PULL[..], &["--all", &other, &pulled.oci(INDEX)]].concat());
    assert_same_index(&pulled, &fixture.layout);
}

/// Asserts that the index is there, with all content of its images.
#[track_caller]
fn assert_same_index(pulled: &Layout, pushed: &Layout) {
    assert_eq!(pulled.manifest(INDEX), pushed.manifest(INDEX));
    let blobs = pulled.blobs();
    for digest in [SMALL, ARM].iter().flat_map(|tag| pushed.closure(tag)) {
        assert!(blobs[&digest] == pushed.blob(&digest), "{digest}");
    }
}
