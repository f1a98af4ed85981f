//! The crate `oci-client`: artifacts that are pushed, pulled, and referred to.

use std::collections::BTreeMap;

use oci_client::{
    Client, Reference,
    client::{BlobResponse, ClientConfig, ClientProtocol, Config, ImageLayer},
    manifest::{OCI_IMAGE_MEDIA_TYPE, OciDescriptor, OciImageManifest, OciManifest},
    secrets::RegistryAuth,
};

use crate::{
    on_each_storage,
    support::{
        digest,
        random::Random,
        served::{Served, Storage},
    },
};

on_each_storage! {
    an_artifact_is_pulled_by_tag_and_by_digest,
    an_artifact_is_pushed_in_one_request_a_blob,
    a_blob_is_read_in_part,
    tags_are_listed_in_pages,
    referrers_of_an_artifact_are_listed,
    repositories_are_listed,
}

const LAYER: &str = "application/x.test.layer";
const ANONYMOUS: &RegistryAuth = &RegistryAuth::Anonymous;

fn client(monolithic: bool) -> Client {
    // The crate needs a provider even without TLS. The first test installs it.
    let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
    Client::new(ClientConfig {
        protocol: ClientProtocol::Http,
        use_monolithic_push: monolithic,
        ..ClientConfig::default()
    })
}

fn reference(served: &Served, image: &str) -> Reference {
    served.image(image).parse().unwrap()
}

fn layer(len: usize) -> ImageLayer {
    ImageLayer::new(Random::new(len as u64).bytes(len), LAYER.into(), None)
}

fn small_layer() -> ImageLayer {
    layer(17)
}

fn layers() -> Vec<ImageLayer> {
    // The second is larger than the client's chunks.
    [small_layer(), layer(5_000_000)].into()
}

fn config(content: &'static str) -> Config {
    Config::new(content, "application/x.test.config".into(), None)
}

async fn push(client: &Client, image: &Reference) {
    client.push(image, &layers(), config("{}"), ANONYMOUS, None).await.unwrap();
}

/// A very small artifact.
async fn push_small(client: &Client, image: &Reference) {
    client.push(image, &[small_layer()], config("{}"), ANONYMOUS, None).await.unwrap();
}

fn run(behaviour: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(behaviour);
}

#[track_caller]
fn assert_same(pulled: &[ImageLayer], pushed: &[ImageLayer]) {
    assert_eq!(pulled.len(), pushed.len());
    for (pulled, pushed) in pulled.iter().zip(pushed) {
        assert_eq!(pulled.media_type, pushed.media_type);
        assert!(pulled.data == pushed.data);
    }
}

fn an_artifact_is_pulled_by_tag_and_by_digest(storage: Storage) {
    let served = Served::start(storage);
    run(async {
        let client = client(false);
        let tagged = reference(&served, "some/artifact:v1");
        push(&client, &tagged).await;
        let pulled = client.pull(&tagged, ANONYMOUS, vec![LAYER]).await.unwrap();
        assert_same(&pulled.layers, &layers());
        let digest = pulled.digest.unwrap();
        assert_eq!(client.fetch_manifest_digest(&tagged, ANONYMOUS).await.unwrap(), digest);
        let by_digest = reference(&served, &format!("some/artifact@{digest}"));
        let pulled = client.pull(&by_digest, ANONYMOUS, vec![LAYER]).await.unwrap();
        assert_same(&pulled.layers, &layers());
    });
}

fn an_artifact_is_pushed_in_one_request_a_blob(storage: Storage) {
    let served = Served::start(storage);
    run(async {
        let client = client(true);
        let tagged = reference(&served, "some/artifact:v1");
        push(&client, &tagged).await;
        let pulled = client.pull(&tagged, ANONYMOUS, vec![LAYER]).await.unwrap();
        assert_same(&pulled.layers, &layers());
    });
}

fn a_blob_is_read_in_part(storage: Storage) {
    use futures::TryStreamExt;
    let served = Served::start(storage);
    run(async {
        let client = client(false);
        let tagged = reference(&served, "some/artifact:v1");
        push(&client, &tagged).await;
        let content = &layers()[1].data;
        let digest = digest(content);
        let part = client.pull_blob_stream_partial(&tagged, digest.as_str(), 1_000_000, Some(9));
        let BlobResponse::Partial(part) = part.await.unwrap() else {
            panic!("all of it");
        };
        let chunks: Vec<_> = part.stream.try_collect().await.unwrap();
        assert_eq!(chunks.concat(), content[1_000_000..1_000_009]);
    });
}

fn tags_are_listed_in_pages(storage: Storage) {
    let served = Served::start(storage);
    run(async {
        let client = client(false);
        let tags = ["a", "b", "c", "d", "e"];
        for tag in tags {
            push_small(&client, &reference(&served, &format!("some/artifact:{tag}"))).await;
        }
        let image = reference(&served, "some/artifact");
        let all = client.list_tags(&image, ANONYMOUS, None, None).await.unwrap();
        assert_eq!(all.name, "some/artifact");
        assert_eq!(all.tags, tags);
        let page = client.list_tags(&image, ANONYMOUS, Some(2), Some("b")).await.unwrap();
        assert_eq!(page.tags, ["c", "d"]);
    });
}

fn referrers_of_an_artifact_are_listed(storage: Storage) {
    let served = Served::start(storage);
    run(async {
        let client = client(false);
        let subject = reference(&served, "some/artifact:v1");
        push_small(&client, &subject).await;
        let digest = client.fetch_manifest_digest(&subject, ANONYMOUS).await.unwrap();
        let subject = reference(&served, &format!("some/artifact@{digest}"));
        let none = client.pull_referrers(&subject, None).await.unwrap();
        assert!(none.manifests.is_empty());

        let (manifest, _) =
            client.pull_manifest_raw(&subject, ANONYMOUS, &[OCI_IMAGE_MEDIA_TYPE]).await.unwrap();
        let kinds = ["application/x.test.signature", "application/x.test.bill"];
        for kind in kinds {
            let config = config("{}");
            let mut referrer = OciImageManifest::build(
                &[],
                &config,
                Some(BTreeMap::from([("kind".into(), kind.into())])),
            );
            referrer.artifact_type = Some(kind.into());
            referrer.subject = Some(OciDescriptor {
                media_type: OCI_IMAGE_MEDIA_TYPE.into(),
                digest: digest.clone(),
                size: manifest.len().try_into().unwrap(),
                ..OciDescriptor::default()
            });
            let image = reference(&served, "some/artifact:referrer");
            client.push(&image, &[], config, ANONYMOUS, Some(referrer)).await.unwrap();
        }
        let all = client.pull_referrers(&subject, None).await.unwrap();
        let mut found: Vec<_> =
            all.manifests.iter().map(|it| it.artifact_type.clone().unwrap()).collect();
        found.sort();
        assert_eq!(found, [kinds[1], kinds[0]]);
        let one = client.pull_referrers(&subject, Some(kinds[0])).await.unwrap();
        assert_eq!(one.manifests.len(), 1);
        assert_eq!(one.manifests[0].artifact_type.as_deref(), Some(kinds[0]));
        let annotations = one.manifests[0].annotations.clone().unwrap();
        assert_eq!(annotations["kind"], kinds[0]);
        let there = reference(&served, &format!("some/artifact@{}", one.manifests[0].digest));
        let (referrer, _) = client.pull_manifest(&there, ANONYMOUS).await.unwrap();
        let OciManifest::Image(referrer) = referrer else { panic!("{referrer:?}") };
        assert_eq!(referrer.subject.unwrap().digest, digest);
    });
}

fn repositories_are_listed(storage: Storage) {
    let served = Served::start(storage);
    run(async {
        let client = client(false);
        for image in ["one/artifact:v1", "other/artifact:v1", "alone:v1"] {
            push_small(&client, &reference(&served, image)).await;
        }
        let image = reference(&served, "alone");
        let listed = client.catalog(&image, ANONYMOUS, None, None).await.unwrap();
        assert_eq!(listed.repositories, ["alone", "one/artifact", "other/artifact"]);
    });
}
