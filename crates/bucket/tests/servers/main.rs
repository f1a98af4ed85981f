//! The driver on real servers. A script starts each of them; it installs the server if it is missing, and so these
//! tests are ignored unless they are asked for:
//!
//! ```sh
//! cargo test --release -p storage-driver-bucket --test servers -- --ignored ceph
//! ```
//!
//! `BUCKET_BEHAVIOURS` selects behaviours of the suite whose names contain it. `BUCKET_SERVER_CEPH` is the line that
//! a running script has printed, without its first word: then no other is started.

#[path = "../fixture.rs"]
mod fixture;
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
    ($($name:ident: $server:ident, $behaviours:literal except [$($except:literal),*] {
        $($test:ident: $variable:literal = $value:literal => $cause:ident;)*
    })*) => {$(
        mod $name {
            #[test]
            #[ignore = "starts a server, and installs it if it is missing"]
            fn keeps_the_contract() {
                crate::suite::run(&crate::$server, $behaviours, &[$($except),*]);
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
    ceph: CEPH, 572 except [] {
        says_that_there_is_no_bucket: "AWS_BUCKET" = "missing" => NoBucket;
        says_that_it_does_not_know_the_key: "AWS_ACCESS_KEY_ID" = "unknown" => UnknownKey;
        says_that_the_secret_is_wrong: "AWS_SECRET_ACCESS_KEY" = "wrong" => WrongSecret;
    }
    // A put by an administrator creates the bucket. It creates no object where there is a directory, or was one.
    seaweedfs: SEAWEEDFS, 572 except [
        "model::operations_with_faults_take_effect_once_or_never",
        "model::sequences_are_answered_as_by_the_model",
        "namespace::a_deleted_directory_makes_room_for_a_file",
        "namespace::stat_prefers_the_file_to_the_directory",
        "paths::names_that_look_like_bookkeeping_are_ordinary",
        "walking::walk_passes_over_a_directory_that_becomes_a_file"
    ] {
        says_that_it_does_not_know_the_key: "AWS_ACCESS_KEY_ID" = "unknown" => UnknownKey;
        says_that_the_secret_is_wrong: "AWS_SECRET_ACCESS_KEY" = "wrong" => WrongSecret;
    }
    azurite: AZURITE, 572 except [] {
        says_that_there_is_no_container: "AZURE_CONTAINER_NAME" = "missing" => NoBucket;
        says_that_the_key_is_wrong: "AZURE_STORAGE_ACCOUNT_KEY" = "d3Jvbmc=" => WrongSecret;
    }
    // It accepts any credentials.
    moto: MOTO, 572 except [] {
        says_that_there_is_no_bucket: "AWS_BUCKET" = "missing" => NoBucket;
    }
    ministack: MINISTACK, 572 except [] {
        says_that_there_is_no_bucket: "AWS_BUCKET" = "missing" => NoBucket;
    }
}

#[test]
#[ignore = "starts a server, and installs it if it is missing"]
fn azurite_deletes_conditionally() {
    opening::deletes_conditionally(&AZURITE);
}
