//! [`ErrorChain`]: an error with its causes.

use std::{error::Error, fmt};

/// Displays an error and all its causes in one line, as in `cannot listen: address in use`.
///
/// A cause that the text before already ends with is left out, and control characters are replaced by
/// spaces.
///
/// ```
/// use storage_driver_registry::ErrorChain;
///
/// let error = "x".parse::<u8>().unwrap_err();
/// assert_eq!(ErrorChain(&error).to_string(), "invalid digit found in string");
/// ```
#[derive(Clone, Copy)]
pub struct ErrorChain<'a>(pub &'a (dyn Error + 'a));

impl fmt::Display for ErrorChain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = one_line(self.0);
        f.write_str(&before)?;
        let mut next = self.0.source();
        while let Some(cause) = next {
            let text = one_line(cause);
            if !before.ends_with(&text) {
                write!(f, ": {text}")?;
                before = text;
            }
            next = cause.source();
        }
        Ok(())
    }
}

impl fmt::Debug for ErrorChain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0, f)
    }
}

fn one_line(error: &dyn Error) -> String {
    let text = error.to_string();
    text.trim().replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Link {
        text: &'static str,
        source: Option<Box<Link>>,
    }

    fn chain(texts: &[&'static str]) -> Link {
        let source = (texts.len() > 1).then(|| Box::new(chain(&texts[1..])));
        Link { text: texts[0], source }
    }

    #[test]
    fn all_causes_are_shown() {
        let text = ErrorChain(&chain(&["a", "b", "c"])).to_string();
        assert_eq!(text, "a: b: c");
    }

    #[test]
    fn a_cause_that_was_already_shown_is_not_repeated() {
        let text = ErrorChain(&chain(&["a: b: c", "b: c", "c", "d"])).to_string();
        assert_eq!(text, "a: b: c: d");
    }

    #[test]
    fn a_chain_is_one_line() {
        assert_eq!(ErrorChain(&chain(&["a\nb", "c\r\n"])).to_string(), "a b: c");
    }

    #[test]
    fn an_error_of_a_driver_is_shown_with_the_error_of_the_system() {
        let cause = io::Error::from(io::ErrorKind::PermissionDenied);
        let error = storage_driver::Error::new(storage_driver::ErrorKind::Unavailable)
            .with_source(cause)
            .context(
                "filesystem",
                storage_driver::Operation::Health,
                &storage_driver::Path::root(),
            );
        let text = ErrorChain(&error).to_string();
        assert_eq!(text, "filesystem: health /: unavailable: permission denied");
    }
}
