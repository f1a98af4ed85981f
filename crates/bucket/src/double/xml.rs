//! The few documents of S3's protocol, written and read.

use std::fmt::Write;

/// Escapes text.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// An error document.
pub(super) fn error(code: &str) -> String {
    format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{code}</Message></Error>")
}

/// A document with one element that has texts.
pub(super) fn elements(root: &str, fields: &[(&str, &str)]) -> String {
    let mut text = format!("<?xml version=\"1.0\"?><{root}>");
    for (name, value) in fields {
        let _ = write!(text, "<{name}>{}</{name}>", escape(value));
    }
    let _ = write!(text, "</{root}>");
    text
}

/// The part numbers and ETags of a Complete request.
pub(super) fn parts(body: &str) -> Vec<(usize, String)> {
    let field = |text: &str, name: &str| {
        let start = text.find(&format!("<{name}>"))? + name.len() + 2;
        let end = text[start..].find(&format!("</{name}>"))? + start;
        Some(text[start..end].replace("&quot;", "\"").trim_matches('"').to_owned())
    };
    let parts = body.split("<Part>").skip(1);
    parts
        .filter_map(|part| Some((field(part, "PartNumber")?.parse().ok()?, field(part, "ETag")?)))
        .collect()
}
