//! The driver on real servers. A script starts each of them; it installs the server if it is missing, and so these
//! tests are ignored unless they are asked for:
//!
//! ```sh
//! cargo test --release -p storage-driver-bucket --test servers -- --ignored ceph
//! ```
//!
//! `BUCKET_BEHAVIOURS` selects behaviours of the suite by parts of their names, with commas between them; `!` before a
//! part leaves out. `CONFORMANCE_CASES` and `CONFORMANCE_ROUNDS` shorten the longest ones. `BUCKET_SERVER_CEPH` is the
//! line that a running script has printed, without its first word: then no other is started. With
//! `BUCKET_SERVERS_REQUIRED`, a server that cannot be installed is a failure.

#[path = "../fixture.rs"]
mod fixture;
mod lost_osd;
mod opening;
mod server;
mod store;
mod suite;

use server::Server;

static CEPH: Server = Server::new("ceph");
static SEAWEEDFS: Server = Server::new("seaweedfs");
static AZURITE: Server = Server::new("azurite");
static MOTO: Server = Server::new("moto");
static MINISTACK: Server = Server::new("ministack");

/// A module of tests for each server: its number of behaviours, and what it says to mistakes in the configuration.
macro_rules! servers {
    ($($name:ident: $server:ident, $jobs:literal at once, $behaviours:literal except [$($except:literal),*] {
        $($test:ident: $variable:literal = $value:literal => $cause:ident;)*
    })*) => {$(
        mod $name {
            #[test]
            #[ignore = "starts a server, and installs it if it is missing"]
            fn keeps_the_contract() {
                crate::suite::run(&crate::$server, $jobs, $behaviours, &[$($except),*]);
            }

            $(#[test]
            #[ignore = "starts a server, and installs it if it is missing"]
            fn $test() {
                let cause = storage_driver_bucket::AccessCause::$cause;
                crate::opening::fails(&crate::$server, $variable, $value, cause);
            })*
        }
    )*};
}

servers! {
    ceph: CEPH, 8 at once, 578 except [] {
        says_that_there_is_no_bucket: "AWS_BUCKET" = "missing" => NoBucket;
        says_that_it_does_not_know_the_key: "AWS_ACCESS_KEY_ID" = "unknown" => UnknownKey;
        says_that_the_secret_is_wrong: "AWS_SECRET_ACCESS_KEY" = "wrong" => WrongSecret;
    }
    // A put by an administrator creates the bucket. It creates no object where there is a directory, or was one.
    seaweedfs: SEAWEEDFS, 8 at once, 578 except [
        "model::operations_with_faults_take_effect_once_or_never",
        "model::sequences_return_what_the_model_returns",
        "namespace::a_deleted_directory_makes_room_for_a_file",
        "namespace::stat_prefers_the_file_to_the_directory",
        "paths::names_that_look_like_bookkeeping_are_ordinary",
        "walking::walk_skips_a_directory_that_becomes_a_file"
    ] {
        says_that_it_does_not_know_the_key: "AWS_ACCESS_KEY_ID" = "unknown" => UnknownKey;
        says_that_the_secret_is_wrong: "AWS_SECRET_ACCESS_KEY" = "wrong" => WrongSecret;
    }
    azurite: AZURITE, 2 at once, 578 except [] {
        says_that_there_is_no_container: "AZURE_CONTAINER_NAME" = "missing" => NoBucket;
        says_that_the_key_is_wrong: "AZURE_STORAGE_ACCOUNT_KEY" = "d3Jvbmc=" => WrongSecret;
    }
    // It accepts any credentials.
    moto: MOTO, 4 at once, 578 except [] {
        says_that_there_is_no_bucket: "AWS_BUCKET" = "missing" => NoBucket;
    }
    ministack: MINISTACK, 4 at once, 578 except [] {
        says_that_there_is_no_bucket: "AWS_BUCKET" = "missing" => NoBucket;
    }
}

#[test]
#[ignore = "starts Ceph with three OSDs on disk, and installs it if it is missing: OSDS=3"]
fn what_ceph_acknowledged_survives_the_loss_of_an_osd() {
    lost_osd::keeps_what_was_acknowledged(&CEPH);
}

#[test]
#[ignore = "starts a server, and installs it if it is missing"]
fn azurite_deletes_conditionally() {
    opening::deletes_conditionally(&AZURITE);
}
