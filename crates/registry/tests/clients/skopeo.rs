//! skopeo: inspection, lists and deletion.

use serde_json::Value;

use crate::{
    on_each_storage,
    support::{
        digest,
        fixture::{Fixture, SMALL},
        layout::parse,
        program::Program,
        served::{Served, Storage},
    },
};

on_each_storage! {
    inspect_describes_an_image,
    inspect_prints_a_manifest_and_a_configuration_unchanged,
    every_tag_is_listed,
    a_deleted_image_is_gone_and_others_stay,
    a_missing_image_is_reported_as_an_error,
}

/// A copy to a registry without a certificate.
pub(crate) const PUSH: [&str; 3] = ["--insecure-policy", "copy", "--dest-tls-verify=false"];
/// A copy from a registry without a certificate.
pub(crate) const PULL: [&str; 3] = ["--insecure-policy", "copy", "--src-tls-verify=false"];
/// A query of a registry without a certificate.
const PLAIN: &str = "--tls-verify=false";

fn inspect_describes_an_image(storage: Storage) {
    let (Some(skopeo), Some(fixture)) = (Program::find("skopeo"), Fixture::shared()) else {
        return;
    };
    let served = Served::start(storage);
    let image = served.docker("some/image:v1");
    skopeo.run(&[&PUSH[..], &[&fixture.layout.oci(SMALL), &image]].concat());
    let inspected = parse(skopeo.run(&["inspect", PLAIN, &image]).as_bytes());
    assert_eq!(inspected["Name"], served.image("some/image"));
    assert_eq!(inspected["Digest"], fixture.layout.tagged(SMALL)["digest"]);
    assert_eq!(inspected["RepoTags"], Value::from(vec!["v1"]));
    assert_eq!(inspected["Architecture"], "amd64");
    assert_eq!(inspected["Layers"], Value::from(fixture.layout.closure(SMALL)[2..].to_vec()));
}

fn inspect_prints_a_manifest_and_a_configuration_unchanged(storage: Storage) {
    let (Some(skopeo), Some(fixture)) = (Program::find("skopeo"), Fixture::shared()) else {
        return;
    };
    let served = Served::start(storage);
    let image = served.docker("some/image:v1");
    skopeo.run(&[&PUSH[..], &[&fixture.layout.oci(SMALL), &image]].concat());
    let manifest = skopeo.run(&["inspect", "--raw", PLAIN, &image]);
    assert_eq!(manifest.as_bytes(), fixture.layout.manifest(SMALL));
    let config = skopeo.run(&["inspect", "--config", "--raw", PLAIN, &image]);
    assert_eq!(digest(config.as_bytes()), fixture.layout.closure(SMALL)[1]);
}

fn every_tag_is_listed(storage: Storage) {
    let (Some(skopeo), Some(fixture)) = (Program::find("skopeo"), Fixture::shared()) else {
        return;
    };
    let served = Served::start(storage);
    let tags = ["1.0", "1.1", "Latest", "latest"];
    for tag in tags {
        let image = served.docker(&format!("some/image:{tag}"));
        skopeo.run(&[&PUSH[..], &[&fixture.layout.oci(SMALL), &image]].concat());
    }
    let inspected =
        parse(skopeo.run(&["list-tags", PLAIN, &served.docker("some/image")]).as_bytes());
    assert_eq!(inspected["Repository"], served.image("some/image"));
    assert_eq!(inspected["Tags"], Value::from(tags.to_vec()));
}

fn a_deleted_image_is_gone_and_others_stay(storage: Storage) {
    let (Some(skopeo), Some(fixture)) = (Program::find("skopeo"), Fixture::shared()) else {
        return;
    };
    let served = Served::start(storage);
    let [gone, kept] = ["some/image:gone", "some/image:kept"].map(|image| served.docker(image));
    let arm = fixture.layout.oci(crate::support::fixture::ARM);
    skopeo.run(&[&PUSH[..], &[&fixture.layout.oci(SMALL), &gone]].concat());
    skopeo.run(&[&PUSH[..], &[&arm, &kept]].concat());
    skopeo.run(&["delete", PLAIN, &gone]);
    let error = skopeo.fails(&["inspect", "--raw", PLAIN, &gone]);
    assert!(error.contains("manifest unknown"), "{error}");
    let inspected = parse(skopeo.run(&["inspect", PLAIN, &kept]).as_bytes());
    assert_eq!(inspected["RepoTags"], Value::from(vec!["kept"]));
}

fn a_missing_image_is_reported_as_an_error(storage: Storage) {
    let (Some(skopeo), Some(fixture)) = (Program::find("skopeo"), Fixture::shared()) else {
        return;
    };
    let served = Served::start(storage);
    let error = skopeo.fails(&["inspect", PLAIN, &served.docker("no/image:v1")]);
    assert!(error.contains("manifest unknown") || error.contains("name unknown"), "{error}");
    let error = skopeo.fails(&["list-tags", PLAIN, &served.docker("no/image")]);
    assert!(error.contains("404 (Not Found)"), "{error}");
    skopeo
        .run(&[&PUSH[..], &[&fixture.layout.oci(SMALL), &served.docker("some/image:v1")]].concat());
    let error = skopeo.fails(&["inspect", PLAIN, &served.docker("some/image:v2")]);
    assert!(error.contains("manifest unknown"), "{error}");
}
