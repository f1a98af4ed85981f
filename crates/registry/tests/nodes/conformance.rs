//! The conformance suite of the OCI through the proxy, so that each request goes to the other of two nodes.

use std::env;

use tokio::task::block_in_place;

use crate::{cluster::Cluster, say, support::program::Program};

/// The suite is a Go program, and no part of this project: `go test -c` in the folder `conformance` of
/// `github.com/opencontainers/distribution-spec` at v1.1.1 makes it, and `OCI_CONFORMANCE` is its path.
#[tokio::test(flavor = "multi_thread")]
async fn the_suite_of_the_oci_passes_on_two_nodes_in_turn() {
    let Some(suite) = env::var_os("OCI_CONFORMANCE") else {
        say("left out: the suite of the OCI needs OCI_CONFORMANCE");
        return;
    };
    let Some(cluster) = Cluster::start(2, &[]).await else { return };
    let reports = tempfile::tempdir().unwrap();
    let mut command = Program { path: suite.into() }.command();
    command
        .arg("-ginkgo.no-color")
        .current_dir(reports.path())
        .env("OCI_ROOT_URL", format!("http://{}", cluster.proxy.address))
        .env("OCI_NAMESPACE", "some/image")
        .env("OCI_CROSSMOUNT_NAMESPACE", "other/image")
        .env("OCI_REPORT_DIR", reports.path());
    for part in ["PULL", "PUSH", "CONTENT_DISCOVERY", "CONTENT_MANAGEMENT"] {
        command.env(format!("OCI_TEST_{part}"), "1");
    }
    let output = block_in_place(|| command.output()).unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let ran =
        text.lines().find(|line| line.starts_with("Ran ")).unwrap_or_else(|| panic!("{text}"));
    say(ran);
    assert!(text.contains("| 0 Failed |") && !ran.starts_with("Ran 0 "), "{text}");
}
