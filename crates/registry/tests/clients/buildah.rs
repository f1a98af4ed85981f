//! buildah: images that are built, pushed, and pulled to another store.

use std::fs;

use crate::{
    containers::Containers,
    on_each_storage,
    skopeo::PUSH,
    support::{
        fixture::{Fixture, SMALL},
        program::{Program, text},
        random::Random,
        served::{Served, Storage},
    },
};

on_each_storage! {
    an_image_from_scratch_is_pushed_and_pulled,
    a_layer_on_a_pulled_image_is_pushed,
    a_program_of_a_pulled_image_runs,
}

const PLAIN: &str = "--tls-verify=false";

fn an_image_from_scratch_is_pushed_and_pulled(storage: Storage) {
    let Some(buildah) = Program::find("buildah") else { return };
    let served = Served::start(storage);
    let image = served.docker("built/image:v1");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    let content = Random::new(3).bytes(3_000_000);
    fs::write(&file, &content).unwrap();

    let here = Containers::buildah(&buildah);
    let container = here.run(&["from", "scratch"]);
    here.run(&["add", &container, text(&file), "/file"]);
    let built = here.run(&["commit", "--quiet", "--rm", &container, "built"]);
    here.run(&["push", "--quiet", PLAIN, "built", &image]);

    let there = Containers::buildah(&buildah);
    // The identity of an image is the digest of its configuration.
    assert_eq!(there.run(&["pull", "--quiet", PLAIN, &image]), built);
    let container = there.run(&["from", &built]);
    let root = there.run(&["mount", &container]);
    assert!(fs::read(format!("{root}/file")).unwrap() == content);
    there.run(&["umount", &container]);
}

fn a_layer_on_a_pulled_image_is_pushed(storage: Storage) {
    let (Some(buildah), Some(skopeo)) = (Program::find("buildah"), Program::find("skopeo")) else {
        return;
    };
    let Some(fixture) = Fixture::shared() else { return };
    let served = Served::start(storage);
    let [base, image] = ["some/base:v1", "built/image:v1"].map(|image| served.docker(image));
    skopeo.run(&[&PUSH[..], &[&fixture.layout.oci(SMALL), &base]].concat());

    let here = Containers::buildah(&buildah);
    let container = here.run(&["from", "--quiet", PLAIN, &base]);
    here.run(&["config", "--label", "built=here", &container]);
    let built = here.run(&["commit", "--quiet", "--rm", &container, "built"]);
    here.run(&["push", "--quiet", PLAIN, "built", &image]);
    let config = skopeo.run(&["inspect", "--config", "--raw", PLAIN, &image]);
    assert_eq!(crate::support::digest(config.as_bytes()), format!("sha256:{built}"));
    assert!(config.contains("\"built\":\"here\""), "{config}");
}

fn a_program_of_a_pulled_image_runs(storage: Storage) {
    let (Some(buildah), Some(skopeo)) = (Program::find("buildah"), Program::find("skopeo")) else {
        return;
    };
    let Some(fixture) = Fixture::shared() else { return };
    let served = Served::start(storage);
    let image = served.docker("some/image:v1");
    skopeo.run(&[&PUSH[..], &[&fixture.layout.oci(SMALL), &image]].concat());
    let here = Containers::buildah(&buildah);
    let container = here.run(&["from", "--quiet", PLAIN, &image]);
    let run = ["run", "--isolation", "chroot", &container, "/bin/echo", "it runs"];
    assert_eq!(here.run(&run), "it runs");
}
