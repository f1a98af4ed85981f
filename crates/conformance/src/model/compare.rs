//! Comparing the results of two drivers.

use std::collections::HashMap;

use storage_driver::{
    Capabilities, Entry, Error, Metadata, Result as Outcome, Stat, UploadInfo, Version,
};

use super::side::Output;

/// A description of a difference.
pub(super) type Difference = String;

/// Which version of the subject corresponds to which version of the model. Their texts differ, but they change
/// together.
#[derive(Debug, Clone)]
pub(super) struct Versions {
    capabilities: Capabilities,
    by_model: HashMap<Version, Version>,
    by_subject: HashMap<Version, Version>,
    /// The model's versions, in the order in which they appeared.
    seen: Vec<Version>,
}

macro_rules! same {
    ($what:literal, $subject:expr, $model:expr) => {{
        let (subject, model) = (&$subject, &$model);
        if subject != model {
            return Err(format!("{}: {subject:?} and should be {model:?}", $what));
        }
    }};
}

impl Versions {
    pub(super) fn new(capabilities: Capabilities) -> Self {
        Self {
            capabilities,
            by_model: HashMap::new(),
            by_subject: HashMap::new(),
            seen: Vec::new(),
        }
    }

    /// The n-th version that appeared, of subject and model.
    pub(super) fn nth(&self, n: usize) -> Option<(Version, Version)> {
        let model = self.seen.get(n.checked_rem(self.seen.len())?)?;
        Some((self.of(model)?, model.clone()))
    }

    /// The subject's version that corresponds to this version of the model.
    pub(super) fn of(&self, model: &Version) -> Option<Version> {
        self.by_model.get(model).cloned()
    }

    fn relate(&mut self, subject: &Version, model: &Version) -> Result<(), Difference> {
        if let Some(known) = self.by_model.get(model) {
            same!("version, which should have stayed", subject, known);
            return Ok(());
        }
        if self.capabilities.unique_versions && self.by_subject.contains_key(subject) {
            return Err(format!("version {subject:?} is not new"));
        }
        self.by_model.insert(model.clone(), subject.clone());
        self.by_subject.insert(subject.clone(), model.clone());
        self.seen.push(model.clone());
        Ok(())
    }

    pub(super) fn file(&mut self, subject: &Metadata, model: &Metadata) -> Result<(), Difference> {
        same!("path", subject.path, model.path);
        same!("size", subject.size, model.size);
        self.relate(&subject.version, &model.version)
            .map_err(|difference| format!("{}: {difference}", model.path))
    }

    fn stat(&mut self, subject: &Stat, model: &Stat) -> Result<(), Difference> {
        match (subject, model) {
            (Stat::File(subject), Stat::File(model)) => self.file(subject, model),
            _ => {
                same!("stat", subject, model);
                Ok(())
            }
        }
    }

    pub(super) fn entries(&mut self, subject: &[Entry], model: &[Entry]) -> Result<(), Difference> {
        let shape = |entries: &[Entry]| -> Vec<String> {
            let mark = |entry: &Entry| if entry.is_dir() { "/" } else { "" };
            entries.iter().map(|entry| format!("{}{}", entry.path(), mark(entry))).collect()
        };
        same!("entries", shape(subject), shape(model));
        for (subject, model) in subject.iter().zip(model) {
            // A listing may leave out metadata.
            if let (Some(subject), Some(model)) = (subject.metadata(), model.metadata()) {
                self.file(subject, model)?;
            }
        }
        Ok(())
    }

    /// `unsure` returns whether an upload may have data that is not yet kept.
    pub(super) fn uploads(
        &self,
        subject: &[UploadInfo],
        model: &[UploadInfo],
        unsure: impl Fn(&UploadInfo) -> bool,
    ) -> Result<(), Difference> {
        let paths = |uploads: &[UploadInfo]| -> Vec<String> {
            uploads.iter().map(|upload| upload.path.to_string()).collect()
        };
        same!("uploads", paths(subject), paths(model));
        for (subject, model) in subject.iter().zip(model) {
            if subject.modified < subject.created {
                return Err(format!(
                    "the upload {} was modified before it was created",
                    model.path
                ));
            }
            if subject.size.is_some() && !unsure(model) {
                same!(
                    "size of an upload",
                    (&subject.path, subject.size),
                    (&model.path, model.size)
                );
            }
            if let (Some(subject), Some(note)) = (&subject.note, &model.note)
                && !unsure(model)
            {
                same!("note of an upload", subject, note);
            }
        }
        Ok(())
    }

    /// Compares two results of one operation.
    pub(super) fn compare(
        &mut self,
        subject: Outcome<Output>,
        model: Outcome<Output>,
        unsure: impl Fn(&UploadInfo) -> bool,
    ) -> Result<(), Difference> {
        let (subject, model) = match (subject, model) {
            (Ok(subject), Ok(model)) => (subject, model),
            (Err(subject), Err(model)) => return errors(&subject, &model),
            (Ok(subject), Err(model)) => {
                return Err(format!("it returned {subject:?} and should fail: {model:?}"));
            }
            (Err(subject), Ok(model)) => {
                return Err(format!("it failed: {subject:?} and should return {model:?}"));
            }
        };
        match (subject, model) {
            (Output::File(subject), Output::File(model)) => self.file(&subject, &model),
            (Output::Content(subject, bytes), Output::Content(model, expected)) => {
                self.file(&subject, &model)?;
                content(&bytes, &expected)
            }
            (
                Output::Opened { metadata, range, remaining },
                Output::Opened { metadata: model, range: expected, remaining: left },
            ) => {
                same!("range", range, expected);
                same!("remaining", remaining, left);
                self.file(&metadata, &model)
            }
            (
                Output::Read { bytes, remaining },
                Output::Read { bytes: expected, remaining: left },
            ) => {
                same!("remaining", remaining, left);
                content(&bytes, &expected)
            }
            (Output::Stat(subject), Output::Stat(model)) => self.stat(&subject, &model),
            (Output::Pages(subject), Output::Pages(model)) => {
                same!("pages", subject.len(), model.len());
                subject.iter().zip(&model).try_for_each(|(s, m)| self.entries(s, m))
            }
            (Output::Walked(mut subject), Output::Walked(mut model)) => {
                if !self.capabilities.ordered_walk {
                    subject.sort_by(|a, b| a.path().cmp(b.path()));
                    model.sort_by(|a, b| a.path().cmp(b.path()));
                }
                self.entries(&subject, &model)
            }
            (Output::Uploads(subject), Output::Uploads(model)) => {
                same!("pages", subject.len(), model.len());
                subject.iter().zip(&model).try_for_each(|(s, m)| self.uploads(s, m, &unsure))
            }
            (Output::Size(subject), Output::Size(model)) => {
                same!("size of a writer", subject, model);
                Ok(())
            }
            (Output::Upload(subject), Output::Upload(model)) => {
                if subject.as_ref().is_some_and(|it| it.size.is_none() || it.note.is_none()) {
                    return Err(format!("size and note must be known: {subject:?}"));
                }
                self.uploads(subject.as_slice(), model.as_slice(), &unsure)
            }
            (Output::Cancelled(subject), Output::Cancelled(model)) => {
                same!("uploads cancelled", subject, model);
                Ok(())
            }
            (Output::Nothing, Output::Nothing) => Ok(()),
            (subject, model) => Err(format!("{subject:?} and should be {model:?}")),
        }
    }
}

/// Compares contents, and reports the first difference only.
pub(super) fn content(subject: &[u8], model: &[u8]) -> Result<(), Difference> {
    if subject == model {
        return Ok(());
    }
    same!("length of the content", subject.len(), model.len());
    match subject.iter().zip(model).position(|(subject, model)| subject != model) {
        Some(at) => Err(format!("the content is wrong from byte {at} of {} on", model.len())),
        None => Ok(()),
    }
}

fn errors(subject: &Error, model: &Error) -> Result<(), Difference> {
    if subject.kind() != model.kind() {
        return Err(format!("it failed with {subject:?}, and should fail with {model:?}"));
    }
    if subject.driver().is_none() || subject.operation().is_none() || subject.path().is_none() {
        return Err(format!("an error without context: {subject:?}"));
    }
    // Of two paths, the error names the missing one.
    if subject.is_not_found() && model.is_not_found() {
        same!("path of an error", subject.path(), model.path());
    }
    Ok(())
}
