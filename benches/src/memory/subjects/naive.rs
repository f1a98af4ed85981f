//! [`Naive`]: the peer that one writes first.

use std::{
    collections::BTreeMap,
    hint::black_box,
    mem,
    ops::Range,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;

use crate::memory::Subject;

type Files = BTreeMap<String, Vec<u8>>;

/// A sorted map of vectors under one lock.
///
/// A vector is contiguous and moves as it grows; what is read is copied out under the lock. An
/// upload is a vector of its own, which a commit moves into the map.
#[derive(Debug, Default)]
pub struct Naive(Mutex<Files>);

impl Naive {
    fn files(&self) -> MutexGuard<'_, Files> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything below `dir`, taken out.
    fn take(files: &mut Files, dir: &str) -> Files {
        let mut below = files.split_off(&format!("{dir}/"));
        // The byte after a slash.
        files.append(&mut below.split_off(&format!("{dir}0")));
        below
    }
}

impl Subject for Naive {
    type Key = String;
    type Upload = (String, Vec<u8>);

    fn new(_pool: Option<u64>) -> Self {
        Self::default()
    }

    fn key(path: &str) -> String {
        path.to_owned()
    }

    async fn put(&self, key: &String, content: &Bytes) {
        let content = content.to_vec();
        self.files().insert(key.clone(), content);
    }

    async fn get(&self, key: &String) -> usize {
        let content = self.files().get(key).cloned();
        black_box(content.expect("it is there")).len()
    }

    async fn range(&self, key: &String, range: Range<u64>) -> usize {
        let range = range.start as usize..range.end as usize;
        let content = self.files().get(key).map(|content| content[range].to_vec());
        black_box(content.expect("it is there")).len()
    }

    async fn read(&self, key: &String) -> u64 {
        self.get(key).await as u64
    }

    async fn stat(&self, key: &String) -> u64 {
        self.files().get(key).map(Vec::len).expect("it is there") as u64
    }

    async fn delete(&self, key: &String) {
        self.files().remove(key).expect("it is there");
    }

    async fn delete_all(&self, dir: &str) {
        Self::take(&mut self.files(), dir);
    }

    async fn rename_all(&self, from: &str, to: &str) -> bool {
        let mut files = self.files();
        for (path, content) in Self::take(&mut files, from) {
            files.insert(format!("{to}{}", &path[from.len()..]), content);
        }
        true
    }

    async fn list(&self, dir: &str) -> usize {
        let dir = format!("{dir}/");
        let files = self.files();
        let below = files.range(dir.clone()..).map_while(|(path, _)| path.strip_prefix(&dir));
        let mut children = Vec::<String>::new();
        for child in below.map(|path| path.split('/').next().unwrap_or_default()) {
            if children.last().is_none_or(|last| last != child) {
                children.push(child.to_owned());
            }
        }
        children.len()
    }

    async fn walk(&self, dir: &str) -> usize {
        let dir = format!("{dir}/");
        let files = self.files();
        let below = files.range(dir.clone()..).take_while(|(path, _)| path.starts_with(&dir));
        let all: Vec<(String, usize)> =
            below.map(|(path, content)| (path.clone(), content.len())).collect();
        drop(files);
        all.len()
    }

    async fn begin(&self, key: &String, _exclusive: bool) -> Self::Upload {
        (key.clone(), Vec::new())
    }

    async fn write(&self, to: &mut Self::Upload, chunk: &[u8]) {
        to.1.extend_from_slice(chunk);
    }

    async fn write_owned(&self, to: &mut Self::Upload, chunk: Bytes) {
        to.1.extend_from_slice(&chunk);
    }

    async fn commit(&self, (key, mut content): Self::Upload) {
        let content = mem::take(&mut content);
        self.files().insert(key, content);
    }

    fn fork(&self) -> Option<Self> {
        Some(Self(Mutex::new(self.files().clone())))
    }
}
