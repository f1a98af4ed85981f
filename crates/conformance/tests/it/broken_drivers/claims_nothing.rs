//! No broken driver: a driver that claims nothing, and does no more than that.

use super::breakage::*;

/// Operations that are not claimed are `Unsupported`, and a dropped writer loses what it did not sync.
#[derive(Debug)]
pub(super) struct ClaimsNothing(Reference);

impl Default for ClaimsNothing {
    fn default() -> Self {
        Self(Reference::claiming(Capabilities::none()))
    }
}

impl Layer for ClaimsNothing {
    type Inner = Reference;

    fn inner(&self) -> &Reference {
        &self.0
    }

    fn wrap_writer(&self, inner: Writer) -> Writer {
        broken_writer(inner, Buffering { data: Vec::new(), note: None })
    }
}

/// Data and note reach the writer inside at a sync or a commit.
struct Buffering {
    data: Vec<u8>,
    note: Option<Bytes>,
}

impl BrokenWriter for Buffering {
    fn write(&mut self, _: &mut Writer, data: Bytes) -> Result<()> {
        self.data.extend_from_slice(&data);
        Ok(())
    }

    fn note(&mut self, _: &mut Writer, note: Bytes) -> Result<()> {
        self.note = Some(note);
        Ok(())
    }

    fn sync(&mut self, inner: &mut Writer) -> Result<()> {
        if let Some(note) = self.note.take() {
            inner.set_note(note)?;
        }
        if !self.data.is_empty() {
            write(inner, self.data.clone().into())?;
            self.data.clear();
        }
        sync(inner)
    }

    async fn commit(mut self, mut commit: Commit<'_>) -> Result<Metadata> {
        self.sync(&mut commit.inner)?;
        commit.run().await
    }
}
