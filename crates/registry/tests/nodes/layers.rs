//! Layers of real size, by curl.

use std::io::Read;

use sha2::{Digest, Sha256};
use tokio::task::block_in_place;

use crate::{
    cluster::Cluster,
    number, say,
    support::{
        curl::{Curl, finish},
        random::Random,
    },
};

const CHUNKS: u64 = 20;

fn written(hash: Sha256) -> String {
    let digits: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{digits}")
}

/// `NODES_LAYER_MIB` is the size, 1 GiB unless set. Each chunk goes to the next of three nodes.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "pushes 1 GiB: NODES_LAYER_MIB"]
async fn a_layer_of_1_gib_is_pushed_in_20_chunks_and_pulled_through_the_proxy() {
    let Some(program) = Curl::find() else { return };
    let Some(cluster) = Cluster::start(3, &[]).await else { return };
    let size = number("NODES_LAYER_MIB").unwrap_or(1024) << 20;
    block_in_place(|| {
        let curl = Curl::at(&program, cluster.proxy.address);
        let mut location = curl.begin("some/image");
        let (mut hash, each) = (Sha256::new(), size / CHUNKS);
        for number in 0..CHUNKS {
            let content = Random::new(number).bytes(each as usize);
            hash.update(&content);
            let range = format!("Content-Range: {}-{}", number * each, (number + 1) * each - 1);
            let sent = curl.ask(&["-X", "PATCH", "-H", &range], &location, Some(&content));
            assert_eq!(sent.status, 202, "{sent:?}");
            location = sent.header("location").to_owned();
        }
        let digest = written(hash);
        let pushed = curl.ask(&["-X", "PUT"], &finish(&location, &digest), None);
        assert_eq!(pushed.status, 201, "{pushed:?}");
        report("pushed", &cluster);

        let url = format!("http://{}/v2/some/image/blobs/{digest}", cluster.proxy.address);
        let mut command = program.command();
        let mut pull =
            command.args(["--silent", "--fail", "--noproxy", "*", &url]).spawn().unwrap();
        let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
        let mut content = pull.stdout.take().unwrap();
        loop {
            match content.read(&mut buffer).unwrap() {
                0 => break,
                length => hash.update(&buffer[..length]),
            }
        }
        assert!(pull.wait().unwrap().success());
        assert_eq!(written(hash), digest);
        report("and pulled", &cluster);
    });
}

/// Prints what the nodes have used so far.
fn report(done: &str, cluster: &Cluster) {
    let used: Vec<(f64, u64)> = cluster.nodes.iter().map(|node| node.usage()).collect();
    let seconds: f64 = used.iter().map(|it| it.0).sum();
    let memory: Vec<u64> = used.iter().map(|it| it.1).collect();
    say(&format!("{done}: {seconds:.2} s of processor time in all, at most {memory:?} MiB"));
}
