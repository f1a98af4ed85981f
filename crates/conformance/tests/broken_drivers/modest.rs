//! No broken driver: a driver that claims nothing, and does no more than that.

use futures::FutureExt;

use crate::breakage::*;

/// Operations that are not claimed are `Unsupported`, and a dropped writer loses what it did not
/// sync.
#[derive(Debug)]
pub(crate) struct Modest(Reference);

impl Default for Modest {
    fn default() -> Self {
        Self(Reference::claiming(Capabilities::none()))
    }
}

#[async_trait]
impl Breakage for Modest {
    fn honest(&self) -> &Reference {
        &self.0
    }

    async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer> {
        let inner = self.0.writer(path, options).await?;
        Ok(broken_writer(inner, Buffering { data: Vec::new(), note: None }))
    }
}

struct Buffering {
    data: Vec<u8>,
    note: Option<Bytes>,
}

#[async_trait]
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
            let data = self.data.clone();
            pass(inner, data.into())?;
            self.data.clear();
        }
        inner.sync().now_or_never().expect("the reference does not wait")
    }

    async fn commit_to(
        mut self,
        mut inner: Writer,
        dest: &Path,
        precondition: Precondition,
    ) -> Result<Metadata> {
        self.sync(&mut inner)?;
        if dest == inner.path() && precondition.is_none() {
            inner.commit().await
        } else {
            inner.commit_to(dest, precondition).await
        }
    }
}
