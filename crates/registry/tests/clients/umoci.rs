//! umoci: a pulled image is unpacked to a root file system.

use crate::{
    on_each_storage,
    skopeo::{PULL, PUSH},
    support::{
        fixture::{Fixture, LARGE},
        layout::Layout,
        program::{Program, read, text},
        served::{Served, Storage},
    },
};

on_each_storage! { a_pulled_image_unpacks_to_the_files_that_were_packed }

fn a_pulled_image_unpacks_to_the_files_that_were_packed(storage: Storage) {
    let (Some(skopeo), Some(umoci)) = (Program::find("skopeo"), Program::find("umoci")) else {
        return;
    };
    let Some(fixture) = Fixture::shared() else { return };
    let served = Served::start(storage);
    let image = served.docker("some/image:v1");
    skopeo.run(&[&PUSH[..], &[&fixture.layout.oci(LARGE), &image]].concat());
    let folder = tempfile::tempdir().unwrap();
    let pulled = Layout::at(folder.path().join("pulled"));
    skopeo.run(&[&PULL[..], &[&image, &pulled.oci(LARGE)]].concat());
    let bundle = folder.path().join("bundle");
    let unpack = ["unpack", "--rootless", "--image", &pulled.image(LARGE), text(&bundle)];
    umoci.run(&unpack);
    assert!(fixture.files.len() > 100, "{}", fixture.files.len());
    for file in &fixture.files {
        let unpacked = bundle.join("rootfs").join(file.strip_prefix("/").unwrap());
        assert!(read(&unpacked) == read(file), "{}", file.display());
    }
}
