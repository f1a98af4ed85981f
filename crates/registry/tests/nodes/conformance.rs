//! The conformance suite of the OCI through the proxy, so that each request goes to the other of two nodes.

use std::env;

use tokio::task::block_in_place;

use crate::{cluster::Cluster, say, support::program::Program};

/// The suite is a Go program, and no part of this project: `go build` in the folder `conformance` of
/// `github.com/opencontainers/distribution-spec` makes it, and `OCI_CONFORMANCE` is its path.
#[tokio::test(flavor = "multi_thread")]
async fn the_suite_of_the_oci_passes_on_two_nodes_in_turn() {
    let Some(suite) = env::var_os("OCI_CONFORMANCE") else {
        say("left out: the suite of the OCI needs OCI_CONFORMANCE");
        return;
    };
    let Some(cluster) = Cluster::start(2, &[]).await else { return };
    let results = tempfile::tempdir().unwrap();
    let mut command = Program { path: suite.into() }.command();
    command
        .current_dir(results.path())
        .env("OCI_REGISTRY", cluster.proxy.address.to_string())
        .env("OCI_TLS", "disabled")
        .env("OCI_RESULTS_DIR", results.path())
        // What the specification leaves open, and this registry does.
        .env("OCI_API_BLOBS_DIGEST_HEADER", "true")
        .env("OCI_API_BLOBS_UPLOAD_CANCEL", "true")
        .env("OCI_API_MANIFESTS_DIGEST_HEADER", "true");
    let output = block_in_place(|| command.output()).unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    // It also ends with success if it could not begin.
    assert!(results.path().join("results.yaml").exists(), "{text}");
    say(&text);
}
