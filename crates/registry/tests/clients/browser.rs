//! Chromium: content that a client stored is not rendered.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::Path,
};

use crate::support::{
    curl::Curl,
    digest,
    program::{Program, text},
    served::Served,
};

/// A script that marks the page.
const SCRIPT: &str = "<script>document.documentElement.setAttribute('ran','yes')</script>";

/// The page that Chromium renders for `url` after its scripts have run; empty for a download.
fn rendered(chromium: &Program, url: &str) -> String {
    let profile = tempfile::tempdir().unwrap();
    let profile = format!("--user-data-dir={}", text(profile.path()));
    let flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-proxy-server",
        &profile,
        "--dump-dom",
        url,
    ];
    let mut browser = chromium.command().args(flags).spawn().unwrap();
    // Chromium exits after a page, but not after a download.
    let log = BufReader::new(browser.stderr.take().unwrap()).lines();
    let is_download = log.map_while(Result::ok).any(|line| line.contains("Page load failed"));
    let mut page = String::new();
    if is_download {
        browser.kill().unwrap();
    } else {
        browser.stdout.take().unwrap().read_to_string(&mut page).unwrap();
    }
    browser.wait().unwrap();
    page
}

/// A manifest of `media_type` with a script, stored as by a registry that accepts any type.
fn store(root: &Path, media_type: &str) -> String {
    let content = format!(r#"{{"mediaType":"{media_type}","x":"{SCRIPT}"}}"#);
    let digest = digest(content.as_bytes());
    let hex = digest.strip_prefix("sha256:").unwrap();
    let registry = root.join("docker/registry/v2");
    let blob = registry.join(format!("blobs/sha256/{}/{hex}", &hex[..2]));
    let link = registry.join(format!("repositories/some/image/_manifests/revisions/sha256/{hex}"));
    for (dir, name, content) in [(blob, "data", &content), (link, "link", &digest)] {
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join(name), content).unwrap();
    }
    format!("/v2/some/image/manifests/{digest}")
}

#[test]
fn a_script_in_a_manifest_does_not_run() {
    let Some(chromium) = Program::find("chromium") else { return };
    let root = tempfile::tempdir().unwrap();
    // SVG has its scripts in XML, which a manifest is not.
    let manifests = ["text/html", "application/xhtml+xml"].map(|kind| store(root.path(), kind));
    let served = Served::on(root.path());
    // The web interface is rendered, so the browser works.
    let page = rendered(&chromium, &format!("http://{}/", served.address));
    assert!(page.contains("Repositories"), "{page}");
    for manifest in manifests {
        let page = rendered(&chromium, &format!("http://{}{manifest}", served.address));
        assert!(!page.contains(r#"ran="yes""#), "{page}");
    }
}

#[test]
fn a_manifest_that_a_browser_renders_is_refused() {
    let Some(curl) = Curl::find() else { return };
    let served = Served::start(crate::support::served::Storage::Memory);
    let curl = Curl::new(&curl, &served);
    for kind in ["text/html", "image/svg+xml", "application/xhtml+xml"] {
        let header = format!("Content-Type: {kind}");
        let options = ["-X", "PUT", "--header", &header];
        let content = format!(r#"{{"x":"{SCRIPT}"}}"#);
        let response = curl.ask(&options, "/v2/some/image/manifests/v1", Some(content.as_bytes()));
        assert_eq!((response.status, &*response.code()), (400, "MANIFEST_INVALID"));
    }
}
