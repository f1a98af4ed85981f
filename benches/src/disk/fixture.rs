//! What is there to be read, made by hand, once for all who read it.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use crate::harness::{MIB, Source};

/// The large file, in the root.
pub(crate) const BLOB: &str = "blobs/blob";
/// The directory with many files in it, and that with many directories with a part of them each.
pub(crate) const FLAT: &str = "flat";
pub(crate) const NESTED: &str = "nested";
/// How many directories there are then.
pub(crate) const DIRS: usize = 1000;

/// A root below `dir` that holds a file of `size` bytes, which is on the disk.
pub(crate) fn blob(dir: &Path, size: u64) -> PathBuf {
    once(&dir.join(format!("blob-{size}")), |root| {
        let path = root.join(BLOB);
        fs::create_dir(path.parent().expect("it is in a directory"))?;
        let mut file = File::create_new(path)?;
        for chunk in Source::new().chunks(size, MIB as usize) {
            file.write_all(chunk)?;
        }
        file.sync_all()
    })
}

/// A root below `dir` that holds `count` empty files twice: in one directory, and in [`DIRS`].
pub(crate) fn files(dir: &Path, count: usize) -> PathBuf {
    once(&dir.join(format!("files-{count}")), |root| {
        let flat = root.join(FLAT);
        fs::create_dir(&flat)?;
        // In no order: 7,919 is prime to any count that is a product of 2 and 5.
        for number in (0..count).map(|number| number * 7919 % count) {
            File::create_new(flat.join(format!("file-{number:08}")))?;
        }
        for dir in 0..DIRS {
            let dir = root.join(NESTED).join(format!("dir-{dir:04}"));
            fs::create_dir_all(&dir)?;
            for number in 0..count / DIRS {
                File::create_new(dir.join(format!("file-{number:04}")))?;
            }
        }
        Ok(())
    })
}

/// Makes a directory, unless that has been done.
fn once(dir: &Path, make: impl FnOnce(&Path) -> io::Result<()>) -> PathBuf {
    if !dir.exists() {
        let made = fs::create_dir(dir).and_then(|()| make(dir));
        made.unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    }
    dir.to_owned()
}
