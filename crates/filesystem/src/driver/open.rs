//! Opening a session of an upload.

use std::sync::Arc;

use storage_driver::{Path, Result, WriteMode};

use crate::{
    Filesystem,
    upload::{copied::Copied, session::Session, uploads::Uploads},
};

impl Filesystem {
    pub(super) async fn open_session(&self, path: &Path, mode: WriteMode) -> Result<Session> {
        path.require_not_root()?;
        self.store().require_writable()?;
        let store = self.store();
        match mode {
            WriteMode::Resume { at } => {
                let held = store.locks.paths(Some(path), &[]).await;
                let of = path.clone();
                self.change(&[path], held, move |uploads| Session::resume(uploads, &of, at)).await
            }
            WriteMode::Create => {
                let held = store.locks.paths(Some(path), &[]).await;
                store.require_open()?;
                if !self.uploads.map().contains_key(path) {
                    return Session::create(&self.uploads, path);
                }
                // The files of the one that is there have to go.
                let at = path.clone();
                self.change(&[path], held, move |uploads| Session::create(uploads, &at)).await
            }
            WriteMode::Append { at: offset } => {
                store.work.wait_abandoned(path).await;
                let at = path.clone();
                let copy = move |uploads: &Arc<Uploads>| Copied::new(uploads, &at, offset);
                let copied = self.prepare(path, copy).await?;
                let held = store.locks.paths(Some(path), &[]).await;
                let at = path.clone();
                let append = move |uploads: &Arc<Uploads>| Session::append(uploads, &at, copied);
                self.change(&[path], held, append).await
            }
        }
    }
}
