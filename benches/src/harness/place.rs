//! [`Places`]: where the stores are.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process,
};

use super::mount;

/// The directories that stores and what they read are made in; they are removed in the end.
#[derive(Debug)]
pub struct Places {
    /// On a disk.
    pub disk: Place,
    /// In memory, if there is such a file system.
    pub tmpfs: Option<Place>,
}

/// A directory that is removed when it is dropped.
#[derive(Debug)]
pub struct Place {
    /// The directory.
    pub dir: PathBuf,
    /// What kind of file system that is on, as the kernel says.
    pub kind: String,
}

/// Where memory is a file system, on most machines.
const TMPFS: &str = "/dev/shm";

impl Places {
    /// Makes a directory in `disk`, or else in the one for temporary files; and one in `tmpfs`, or
    /// else where there mostly is one.
    pub fn new(disk: Option<PathBuf>, tmpfs: Option<PathBuf>) -> io::Result<Self> {
        let disk = Place::new(&disk.unwrap_or_else(env::temp_dir))?;
        let tmpfs = match tmpfs {
            Some(dir) => Some(dir),
            None => Some(PathBuf::from(TMPFS)).filter(|dir| mount::kind(dir) == "tmpfs"),
        };
        Ok(Self { disk, tmpfs: tmpfs.map(|dir| Place::new(&dir)).transpose()? })
    }
}

impl Place {
    /// Makes a directory in `dir`, or else where there mostly is memory.
    ///
    /// # Errors
    ///
    /// Where there is none, `dir` has to say where.
    pub fn in_memory(dir: Option<PathBuf>) -> io::Result<Self> {
        let usual = PathBuf::from(TMPFS);
        match dir {
            Some(dir) => Self::new(&dir),
            None if mount::kind(&usual) == "tmpfs" => Self::new(&usual),
            None => Err(io::Error::other(format!("{TMPFS} is not in memory: which directory is?"))),
        }
    }

    fn new(above: &Path) -> io::Result<Self> {
        let dir = above.canonicalize()?.join(format!("benches-{}", process::id()));
        fs::create_dir(&dir)?;
        Ok(Self { kind: mount::kind(&dir), dir })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.dir) {
            eprintln!("{} could not be removed: {error}", self.dir.display());
        }
    }
}
