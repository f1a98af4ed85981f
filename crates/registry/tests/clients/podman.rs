//! podman: images that are pulled, run, pushed, and put into an index.

use std::{
    process::{Command, Output},
    sync::Arc,
};

use crate::{
    containers::Containers,
    on_each_storage,
    skopeo::PUSH,
    support::{
        fixture::{ARM, Fixture, SMALL},
        layout::parse,
        program::{Program, left_out},
        served::{Served, Storage},
    },
};

on_each_storage! {
    an_image_is_pulled_and_pushed,
    an_image_that_was_pulled_runs,
    an_index_of_images_is_pushed,
}

const PLAIN: &str = "--tls-verify=false";

struct Ready {
    podman: Containers,
    skopeo: Program,
    fixture: Arc<Fixture>,
    served: Served,
    /// An image that was pushed.
    image: String,
}

/// podman with a new store, and a registry with images.
fn ready(storage: Storage) -> Option<Ready> {
    let (podman, skopeo) = (Program::find("podman")?, Program::find("skopeo")?);
    let fixture = Fixture::shared()?;
    let served = Served::start(storage);
    for tag in [SMALL, ARM] {
        let image = served.docker(&format!("some/image:{tag}"));
        skopeo.run(&[&PUSH[..], &[&fixture.layout.oci(tag), &image]].concat());
    }
    let image = served.image(&format!("some/image:{SMALL}"));
    Some(Ready { podman: Containers::podman(&podman), skopeo, fixture, served, image })
}

fn an_image_is_pulled_and_pushed(storage: Storage) {
    let Some(Ready { podman, served, image, .. }) = ready(storage) else { return };
    let pulled = podman.run(&["pull", "--quiet", PLAIN, &image]);
    let other = served.image("another/image:v2");
    podman.run(&["tag", &image, &other]);
    podman.run(&["push", "--quiet", PLAIN, &other]);
    podman.run(&["rmi", &image, &other]);
    assert_eq!(podman.run(&["images", "--quiet"]), "");
    assert_eq!(podman.run(&["pull", "--quiet", PLAIN, &other]), pulled);
}

fn an_image_that_was_pulled_runs(storage: Storage) {
    let Some(Ready { podman, image, served: _served, .. }) = ready(storage) else { return };
    podman.run(&["pull", "--quiet", PLAIN, &image]);
    let limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"];
    let least = ["run", "--rm", "--pull=never", "--cgroups=disabled", "--network=none"];
    let echo = [&image, "/bin/echo", "it runs"];
    let mut plain = podman.command(&[&least, &limits[..], &echo].concat());
    let mut output = plain.output().unwrap();
    if !output.status.success() {
        // The runtime supports one version of control groups, and a machine may have both.
        let script = "umount --recursive --lazy /sys/fs/cgroup; \
                      mount -t cgroup2 none /sys/fs/cgroup; exec \"$0\" \"$@\"";
        let mut own = Command::new("unshare");
        own.args(["--mount", "sh", "-c", script]).arg(plain.get_program()).args(plain.get_args());
        output = own.output().unwrap();
    }
    let Output { status, stdout, stderr } = output;
    if status.success() {
        assert_eq!(String::from_utf8(stdout).unwrap(), "it runs\n");
    } else {
        left_out(&format!("podman run: {}", String::from_utf8_lossy(&stderr).trim()));
    }
}

fn an_index_of_images_is_pushed(storage: Storage) {
    let Some(Ready { podman, skopeo, fixture, served, image }) = ready(storage) else { return };
    podman.run(&["manifest", "create", "both"]);
    let arm = served.docker(&format!("some/image:{ARM}"));
    for image in [&format!("docker://{image}"), &arm] {
        podman.run(&["manifest", "add", PLAIN, "both", image]);
    }
    let index = served.docker("some/index:v1");
    podman.run(&["manifest", "push", "--quiet", "--all", PLAIN, "both", &index]);
    let raw = skopeo.run(&["inspect", "--raw", PLAIN, &index]);
    let entries = parse(raw.as_bytes())["manifests"].as_array().unwrap().clone();
    let architectures: Vec<&str> =
        entries.iter().map(|it| it["platform"]["architecture"].as_str().unwrap()).collect();
    assert_eq!(architectures, ["amd64", "arm64"]);
    let other = Containers::podman(&podman.program);
    let pulled = other.run(&["pull", "--quiet", PLAIN, "--arch", "arm64", &index]);
    assert_eq!(format!("sha256:{pulled}"), fixture.layout.closure(ARM)[1]);
}
