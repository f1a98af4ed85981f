//! Settings from a file.

use std::{fs, path::Path};

use crate::{failure::Failure, settings::Settings};

/// Reads a file of settings.
///
/// # Errors
///
/// [`Failure::File`] and [`Failure::Config`], which names the line and the key.
pub(crate) fn read(file: &Path) -> Result<Settings, Failure> {
    let text = fs::read_to_string(file)
        .map_err(|source| Failure::File { file: file.to_owned(), source })?;
    // Some editors on Windows begin a file with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    toml::from_str(text).map_err(|error| {
        let (line, reason) = describe(text, &error);
        Failure::Config { file: file.to_owned(), line, reason }
    })
}

/// The number of the line, and the reason.
fn describe(text: &str, error: &toml::de::Error) -> (usize, String) {
    let at = error.span().map_or(0, |span| span.start.min(text.len()));
    let number = text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count();
    // In one line, and without the list of all valid keys, which would hide the invalid one.
    let message = error.message().lines().collect::<Vec<_>>().join(", ");
    let message = match message.split_once(", expected") {
        Some((message, _)) if message.starts_with("unknown field") => message.to_owned(),
        _ => message,
    };
    let line = text.lines().nth(number).unwrap_or_default();
    let key = line.split_once('=').map(|(key, _)| key.trim());
    let key = key.filter(|key| !key.is_empty() && !message.contains(&format!("`{key}`")));
    let reason = match key {
        Some(key) => format!("{key}: {message}"),
        None => message,
    };
    (number + 1, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> (usize, String) {
        describe(text, &toml::from_str::<Settings>(text).unwrap_err())
    }

    #[test]
    fn an_error_names_line_and_key() {
        let (line, reason) = error("# sizes\n\nmax-blob-size = \"many\"\n");
        assert_eq!(line, 3);
        assert!(reason.starts_with("max-blob-size: `many`: not a size"), "{reason}");
        let (line, reason) = error("read-only = true\nlisten = 5\n");
        assert_eq!(line, 2);
        assert!(reason.starts_with("listen: "), "{reason}");
    }

    #[test]
    fn credentials_in_a_url_are_not_repeated() {
        let (_, reason) = error("storage = \"s3://user:hidden@bucket\"\n");
        assert!(reason.contains("credentials in a URL"), "{reason}");
        assert!(!reason.contains("hidden"), "{reason}");
    }

    #[test]
    fn an_unknown_key_is_named_alone() {
        assert_eq!(error("\nsize = 5\n"), (2, "unknown field `size`".to_owned()));
        let rule = "[[access]]\nrepositories = \"*\"\nusers = []\nactions = [\n\"fly\"]\n";
        let (line, reason) = error(rule);
        assert_eq!(line, 5);
        assert!(reason.contains("`fly`") && reason.contains("`pull`"), "{reason}");
    }

    #[test]
    fn text_that_is_not_toml_is_reported_in_one_line() {
        let (line, reason) = error("page = true\nlisten\n");
        assert_eq!(line, 2);
        assert!(!reason.is_empty() && !reason.contains('\n'), "{reason}");
    }
}
