//! Broken drivers: notes.

use super::{breakage::*, writing::SyncsOnly};

broken_drivers! {
    ForgetsNotes as note_that_is_not_kept: [
        "notes::suspend_keeps_the_note_with_the_data",
        "model::sequences_return_what_the_model_returns",
    ];
    NotesRunAhead as note_ahead_of_its_data: ["notes::a_drop_never_separates_a_note_from_its_data"];
    CreateKeepsTheNote as note_that_outlives_its_upload: ["notes::create_starts_without_a_note"];
}

writes_with! {
    /// 5.17: a note is not kept.
    ForgetsNotes, |_, _| Forgetting
}

struct Forgetting;

impl BrokenWriter for Forgetting {
    fn note(&mut self, _: &mut Writer, _: Bytes) -> Result<()> {
        Ok(())
    }
}

writes_with! {
    /// 5.17: a note is kept at once, and its data when the writer is synced.
    NotesRunAhead, |_, _| SyncsOnly::default()
}

broken! {
    /// 5.17: `Create` keeps the note of the upload that it discards.
    CreateKeepsTheNote {
        async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer> {
            let note = self.inner.upload(path).await.ok().flatten().and_then(|upload| upload.note);
            let create = options.mode == WriteMode::Create;
            let mut writer = self.inner.writer(path, options).await?;
            if let Some(note) = note.filter(|_| create) {
                writer.set_note(note)?;
            }
            Ok(writer)
        }
    }
}
