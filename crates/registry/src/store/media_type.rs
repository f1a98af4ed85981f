//! Which media types a manifest may have.
//!
//! A manifest is served with the type that its author gave it, from an origin where the reader may be
//! logged in. A type that a browser renders would let an author run scripts there.

/// The media type that is served for content whose own type is not [safe](is_safe).
pub(crate) const UNKNOWN: &str = "application/octet-stream";

/// Subtypes of `application` that browsers render, run or open with another program, apart from XML.
const RENDERED: [&str; 15] = [
    "ecmascript",
    "hta",
    "http-index-format",
    "javascript",
    "ogg",
    "pdf",
    "signed-exchange",
    "vnd.apple.mpegurl",
    "x-ecmascript",
    "x-javascript",
    "x-mpegurl",
    "x-pdf",
    "x-shockwave-flash",
    "x-x509-ca-cert",
    "x-xpinstall",
];

/// Whether `text` is a media type by RFC 6838, which has at most 255 bytes and no parameters, and one
/// that browsers do not render: `application/…`, except XML and a few others.
pub(crate) fn is_safe(text: &str) -> bool {
    let Some((kind, subtype)) = text.split_once('/') else { return false };
    let subtype_in_lower_case = subtype.to_ascii_lowercase();
    let is_xml = ["xml", "xml-dtd", "xml-external-parsed-entity"]
        .contains(&&*subtype_in_lower_case)
        || subtype_in_lower_case.ends_with("+xml");
    is_restricted_name(kind)
        && is_restricted_name(subtype)
        && kind.eq_ignore_ascii_case("application")
        && !is_xml
        && !RENDERED.contains(&&*subtype_in_lower_case)
}

/// RFC 6838, section 4.2.
fn is_restricted_name(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
    text.len() <= 127
        && text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
        && text.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_of_artifacts_are_safe() {
        for safe in [
            "application/vnd.oci.image.manifest.v1+json",
            "application/vnd.docker.distribution.manifest.list.v2+json",
            "application/json",
            "application/vnd.example.sbom.v1+zstd",
            "Application/VND.Example",
            &format!("application/{}", "a".repeat(127)),
        ] {
            assert!(is_safe(safe), "{safe}");
        }
    }

    #[test]
    fn types_that_browsers_render_are_not_safe() {
        for rendered in [
            "text/html",
            "image/svg+xml",
            "application/xhtml+xml",
            "APPLICATION/XHTML+XML",
            "application/xml",
            "application/vnd.example+xml",
            "application/pdf",
            "application/javascript",
            "multipart/x-mixed-replace",
            "message/rfc822",
            "video/mp4",
        ] {
            assert!(!is_safe(rendered), "{rendered}");
        }
    }

    #[test]
    fn text_that_is_no_media_type_is_not_safe() {
        for wrong in [
            "",
            "application",
            "application/",
            "/json",
            "*/*",
            "application/*",
            "application/json; charset=utf-8",
            "application/a b",
            "application/a\n",
            "application/a/b",
            "application/.a",
            "application/ä",
            &format!("application/{}", "a".repeat(128)),
        ] {
            assert!(!is_safe(wrong), "{wrong}");
        }
    }
}
