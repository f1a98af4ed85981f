//! [`Library`]: a store with blocking calls, as a C library or `std::fs` has them. It knows nothing of futures,
//! writers, fencing or buffers.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use bytes::Bytes;
use storage_driver::{
    Entry, ErrorKind, ListOptions, Metadata, Page, Path, Payload, Precondition, Result, Stat,
    UploadInfo,
};

/// Two sorted maps. Each call blocks while another one runs.
#[derive(Debug, Default)]
pub(crate) struct Library(Mutex<Store>);

#[derive(Debug, Default)]
struct Store {
    files: BTreeMap<Path, (Metadata, Payload)>,
    uploads: BTreeMap<Path, (UploadInfo, Payload)>,
    commits: u64,
}

/// The entries at and below `path`. In the order of paths, a subtree is contiguous.
fn subtree<'a, T>(map: &'a BTreeMap<Path, T>, path: &'a Path) -> impl Iterator<Item = &'a T> {
    map.range(path..).take_while(|(key, _)| key.starts_with(path)).map(|(_, value)| value)
}

impl Store {
    fn stat(&self, path: &Path) -> Result<Stat> {
        match subtree(&self.files, path).next() {
            Some((file, _)) if file.path == *path => Ok(Stat::File(file.clone())),
            None if !path.is_root() => Err(ErrorKind::PathNotFound.into()),
            _ => Ok(Stat::Directory(path.clone())),
        }
    }

    fn check(&self, path: &Path, precondition: &Precondition) -> Result<()> {
        precondition.check(self.files.get(path).map(|(file, _)| &file.version))
    }

    fn publish(
        &mut self,
        path: &Path,
        content: Payload,
        condition: Precondition,
    ) -> Result<Metadata> {
        self.check(path, &condition)?;
        self.commits += 1;
        let (size, version) = (content.len() as u64, self.commits.into());
        let file = Metadata::new(path.clone(), size, SystemTime::now(), version);
        self.files.insert(path.clone(), (file.clone(), content));
        Ok(file)
    }
}

impl Library {
    fn store(&self) -> MutexGuard<'_, Store> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn put(
        &self,
        path: &Path,
        content: Payload,
        condition: Precondition,
    ) -> Result<Metadata> {
        self.store().publish(path, content, condition)
    }

    pub(crate) fn get(&self, path: &Path) -> Result<(Metadata, Payload)> {
        let store = self.store();
        store.stat(path)?.into_file()?;
        Ok(store.files[path].clone())
    }

    pub(crate) fn stat(&self, path: &Path) -> Result<Stat> {
        self.store().stat(path)
    }

    pub(crate) fn list(&self, path: &Path, options: &ListOptions) -> Result<Page<Entry>> {
        let store = self.store();
        if store.stat(path)?.is_file() {
            return Err(ErrorKind::NotADirectory.into());
        }
        let files = subtree(&store.files, path).map(|(file, _)| file.clone());
        Ok(Page::from_sorted(path, options, Entry::children(path, files)))
    }

    pub(crate) fn delete(&self, path: &Path, condition: &Precondition) -> Result<()> {
        let mut store = self.store();
        match store.stat(path) {
            Ok(Stat::Directory(_)) => return Err(ErrorKind::IsADirectory.into()),
            Err(error) if !store.uploads.contains_key(path) => return Err(error),
            _ => store.check(path, condition)?,
        }
        store.files.remove(path);
        store.uploads.remove(path);
        Ok(())
    }

    pub(crate) fn delete_dir(&self, path: &Path) -> Result<()> {
        let mut store = self.store();
        match store.stat(path) {
            Ok(Stat::File(_)) => return Err(ErrorKind::NotADirectory.into()),
            Err(error) if subtree(&store.uploads, path).next().is_none() => return Err(error),
            _ => {}
        }
        store.files.retain(|key, _| !key.starts_with(path));
        store.uploads.retain(|key, _| !key.starts_with(path));
        Ok(())
    }

    pub(crate) fn create_upload(&self, path: &Path) -> UploadInfo {
        let now = SystemTime::now();
        let upload = UploadInfo::new(path.clone(), now, now, Some(0)).with_note(Bytes::new());
        self.store().uploads.insert(path.clone(), (upload.clone(), Payload::new()));
        upload
    }

    pub(crate) fn upload(&self, path: &Path) -> Option<UploadInfo> {
        self.store().uploads.get(path).map(|(upload, _)| upload.clone())
    }

    pub(crate) fn uploads(&self, path: &Path, options: &ListOptions) -> Page<UploadInfo> {
        let store = self.store();
        let uploads = subtree(&store.uploads, path).map(|(upload, _)| upload.clone());
        Page::from_sorted(path, options, uploads)
    }

    pub(crate) fn append(&self, path: &Path, data: Payload) -> Result<()> {
        let mut store = self.store();
        let (upload, content) = store.uploads.get_mut(path).ok_or(ErrorKind::PathNotFound)?;
        content.extend(data);
        (upload.modified, upload.size) = (SystemTime::now(), Some(content.len() as u64));
        Ok(())
    }

    pub(crate) fn set_note(&self, path: &Path, note: &Bytes) -> Result<()> {
        let mut store = self.store();
        let (upload, _) = store.uploads.get_mut(path).ok_or(ErrorKind::PathNotFound)?;
        upload.note = Some(note.clone());
        Ok(())
    }

    pub(crate) fn commit(
        &self,
        from: &Path,
        to: &Path,
        condition: Precondition,
    ) -> Result<Metadata> {
        let mut store = self.store();
        let content = store.uploads.get(from).ok_or(ErrorKind::PathNotFound)?.1.clone();
        let file = store.publish(to, content, condition)?; // a failure leaves the upload
        store.uploads.remove(from);
        Ok(file)
    }

    pub(crate) fn cancel(&self, path: &Path) -> Result<()> {
        self.store().uploads.remove(path).ok_or(ErrorKind::PathNotFound)?;
        Ok(())
    }
}
