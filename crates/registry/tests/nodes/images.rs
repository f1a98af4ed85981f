//! Clients that people use, through the proxy.

use std::time::Duration;

use oci_client::{
    Client, Reference,
    client::{ClientConfig, ClientProtocol, Config, ImageLayer},
    secrets::RegistryAuth,
};
use tokio::task::{block_in_place, spawn_blocking};

use crate::{
    cluster::Cluster,
    containers::Containers,
    support::{
        fixture::{Fixture, INDEX, LARGE, SMALL},
        layout::{Layout, assert_same_image},
        program::{Program, read, text},
        random::Random,
    },
};

const PUSH: [&str; 3] = ["--insecure-policy", "copy", "--dest-tls-verify=false"];
const PLAIN: &str = "--tls-verify=false";
const PULL: [&str; 3] = ["--insecure-policy", "copy", "--src-tls-verify=false"];

fn image(cluster: &Cluster, name: &str) -> String {
    format!("docker://{}/{name}", cluster.proxy.address)
}

#[tokio::test(flavor = "multi_thread")]
async fn skopeo_pushes_and_pulls_through_the_proxy() {
    let (Some(skopeo), Some(fixture)) = (Program::find("skopeo"), Fixture::shared()) else {
        return;
    };
    let Some(cluster) = Cluster::start(3, &[]).await else { return };
    block_in_place(|| {
        for tag in [SMALL, LARGE] {
            let image = image(&cluster, &format!("some/image:{tag}"));
            skopeo.run(&[&PUSH[..], &[&fixture.layout.oci(tag), &image]].concat());
            pull(&skopeo, &image, &fixture.layout, tag);
        }
        let index = image(&cluster, "some/image:index");
        skopeo.run(&[&PUSH[..], &["--all", &fixture.layout.oci(INDEX), &index]].concat());
    });
}

fn pull(skopeo: &Program, image: &str, expected: &Layout, tag: &str) {
    let folder = tempfile::tempdir().unwrap();
    let pulled = Layout::at(folder.path().join("pulled"));
    skopeo.run(&[&PULL[..], &[image, &pulled.oci(tag)]].concat());
    assert_same_image(&pulled, expected, tag);
}

#[tokio::test(flavor = "multi_thread")]
async fn umoci_unpacks_what_was_pulled_through_the_proxy() {
    let (Some(skopeo), Some(umoci)) = (Program::find("skopeo"), Program::find("umoci")) else {
        return;
    };
    let Some(fixture) = Fixture::shared() else { return };
    let Some(cluster) = Cluster::start(3, &[]).await else { return };
    block_in_place(|| {
        let image = image(&cluster, "some/image:v1");
        skopeo.run(&[&PUSH[..], &[&fixture.layout.oci(LARGE), &image]].concat());
        let folder = tempfile::tempdir().unwrap();
        let pulled = Layout::at(folder.path().join("pulled"));
        skopeo.run(&[&PULL[..], &[&image, &pulled.oci(LARGE)]].concat());
        let bundle = folder.path().join("bundle");
        umoci.run(&["unpack", "--rootless", "--image", &pulled.image(LARGE), text(&bundle)]);
        for file in &fixture.files {
            let unpacked = bundle.join("rootfs").join(file.strip_prefix("/").unwrap());
            assert!(read(&unpacked) == read(file), "{}", file.display());
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn podman_and_buildah_pull_and_push_through_the_proxy() {
    let (Some(podman), Some(buildah)) = (Program::find("podman"), Program::find("buildah")) else {
        return;
    };
    let (Some(skopeo), Some(fixture)) = (Program::find("skopeo"), Fixture::shared()) else {
        return;
    };
    let Some(cluster) = Cluster::start(3, &[]).await else { return };
    block_in_place(|| {
        let [first, second] = ["one", "two"].map(|name| image(&cluster, &format!("{name}:v1")));
        skopeo.run(&[&PUSH[..], &[&fixture.layout.oci(SMALL), &first]].concat());
        let here = Containers::buildah(&buildah);
        let pulled = here.run(&["pull", "--quiet", PLAIN, &first]);
        here.run(&["push", "--quiet", PLAIN, &pulled, &second]);
        // The identity of an image is the digest of its configuration.
        let there = Containers::podman(&podman);
        assert_eq!(there.run(&["pull", "--quiet", PLAIN, &second]), pulled);
        there.run(&["push", "--quiet", PLAIN, &pulled, &format!("{second}-again")]);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn oci_client_pushes_and_pulls_through_the_proxy() {
    let Some(cluster) = Cluster::start(3, &[]).await else { return };
    // The crate needs a provider even without TLS.
    let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
    let protocol = ClientProtocol::Http;
    let client = Client::new(ClientConfig { protocol, ..ClientConfig::default() });
    let name: Reference = format!("{}/some/artifact:v1", cluster.proxy.address).parse().unwrap();
    let data = Random::new(6).bytes(5_000_000);
    let layer = ImageLayer::new(data.clone(), "application/x.test".to_owned(), None);
    let config = Config::new("{}".as_bytes().to_vec(), "application/x.test".to_owned(), None);
    let anonymous = RegistryAuth::Anonymous;
    client.push(&name, &[layer], config, &anonymous, None).await.unwrap();
    let pulled = client.pull(&name, &anonymous, vec!["application/x.test"]).await.unwrap();
    assert!(pulled.layers[0].data[..] == data[..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_loses_no_push() {
    let (Some(skopeo), Some(fixture)) = (Program::find("skopeo"), Fixture::shared()) else {
        return;
    };
    // Longer than the balancer takes to notice.
    let delay = [("REGISTRY_SHUTDOWN_DELAY", "1s")];
    let Some(mut cluster) = Cluster::start(3, &delay).await else { return };
    cluster.proxy.watch_health();
    let pushes: Vec<_> = (0..6)
        .map(|number| {
            let image = image(&cluster, &format!("some/image{number}:{LARGE}"));
            let (skopeo, layout) = (skopeo.clone(), fixture.layout.oci(LARGE));
            spawn_blocking(move || skopeo.run(&[&PUSH[..], &[&layout, &image]].concat()))
        })
        .collect();
    // Each node drains, ends and comes back, until all pushes have ended.
    let mut restarts = 0;
    while !pushes.iter().all(|push| push.is_finished()) || restarts < 3 {
        let node = &mut cluster.nodes[restarts % 3];
        node.stop();
        node.start_again();
        restarts += 1;
        // Until the balancer has found it again.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    for push in pushes {
        push.await.unwrap();
    }
    block_in_place(|| {
        for number in 0..6 {
            let image = image(&cluster, &format!("some/image{number}:{LARGE}"));
            pull(&skopeo, &image, &fixture.layout, LARGE);
        }
    });
}
