//! [`Fixture`]: images to push, made of files of this machine.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, Weak},
};

use tempfile::TempDir;

use super::{
    layout::Layout,
    program::{Program, text},
    size::image_size,
};

/// An image with busybox.
pub(crate) const SMALL: &str = "small";
/// The same for another platform.
pub(crate) const ARM: &str = "arm";
/// An index of both.
pub(crate) const INDEX: &str = "index";
/// Programs, libraries and documents of this machine, in three layers.
pub(crate) const LARGE: &str = "large";

/// The directories of the layers of the large image, and their shares of its size.
const LAYERS: [(&str, u64); 3] = [("/usr/bin", 30), ("/usr/lib", 50), ("/usr/share", 20)];
/// The largest file, so that an image of a few mebibytes has several.
const LARGEST_FILE: u64 = 4 << 20;

/// A layout with images in it.
#[derive(Debug)]
pub(crate) struct Fixture {
    pub(crate) layout: Layout,
    /// The files of the large image.
    pub(crate) files: Vec<PathBuf>,
    _folder: TempDir,
}

impl Fixture {
    /// The fixture of all tests that run at this time. It is deleted after the last of them. `None`, after a message, if
    /// it cannot be made.
    pub(crate) fn shared() -> Option<Arc<Self>> {
        static SHARED: Mutex<Weak<Fixture>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(fixture) = shared.upgrade() {
            return Some(fixture);
        }
        let fixture = Arc::new(Self::make()?);
        *shared = Arc::downgrade(&fixture);
        Some(fixture)
    }

    fn make() -> Option<Self> {
        let (umoci, tar) = (Program::find("umoci")?, Program::find("tar")?);
        let busybox = Program::find("busybox")?;
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::at(folder.path().join("images"));
        let pack = Pack { umoci, tar, layout: &layout, folder: folder.path() };
        pack.umoci.run(&["init", "--layout", text(&layout.root)]);

        pack.begin(SMALL);
        pack.busybox(SMALL, &busybox);
        let arm = ["--config.cmd", "/bin/sh", "--architecture", "arm64", "--tag", ARM];
        pack.config(SMALL, &arm);
        layout.add_index(INDEX, &[(SMALL, "amd64"), (ARM, "arm64")]);

        pack.begin(LARGE);
        let mut files = Vec::new();
        for (root, share) in LAYERS {
            files.extend(pack.files(LARGE, Path::new(root), image_size() * share / 100));
        }
        Some(Self { layout, files, _folder: folder })
    }
}

struct Pack<'a> {
    umoci: Program,
    tar: Program,
    layout: &'a Layout,
    folder: &'a Path,
}

impl Pack<'_> {
    fn begin(&self, tag: &str) {
        self.umoci.run(&["new", "--image", &self.layout.image(tag)]);
        self.config(tag, &["--config.cmd", "/bin/sh", "--architecture", "amd64", "--os", "linux"]);
    }

    fn config(&self, tag: &str, options: &[&str]) {
        let image = self.layout.image(tag);
        self.umoci.run(&[&["config", "--image", &image], options].concat());
    }

    fn busybox(&self, tag: &str, busybox: &Program) {
        let root = self.folder.join("root");
        fs::create_dir_all(root.join("bin")).unwrap();
        fs::copy(&busybox.path, root.join("bin/busybox")).unwrap();
        for applet in ["sh", "echo", "sha256sum"] {
            symlink("busybox", root.join("bin").join(applet)).unwrap();
        }
        let layer = self.folder.join("busybox.tar");
        self.tar.run_in(&root, &["--create", "--file", text(&layer), "."]);
        self.add(tag, &layer);
    }

    /// A layer of the files below `root`, up to `budget` bytes of them.
    fn files(&self, tag: &str, root: &Path, budget: u64) -> Vec<PathBuf> {
        let mut files = Vec::new();
        collect(root, &mut { budget }, &mut files);
        let list = self.folder.join("files");
        fs::write(&list, files.iter().map(|file| format!("{}\0", text(file))).collect::<String>())
            .unwrap();
        let layer = self.folder.join("files.tar");
        let from = ["--no-recursion", "--null", "--files-from", text(&list)];
        self.tar.run(
            &[
                &["--create", "--absolute-names", "--transform", "s,^/,,", "--file", text(&layer)],
                &from[..],
            ]
            .concat(),
        );
        self.add(tag, &layer);
        files
    }

    fn add(&self, tag: &str, layer: &Path) {
        self.umoci.run(&["raw", "add-layer", "--image", &self.layout.image(tag), text(layer)]);
        fs::remove_file(layer).unwrap();
    }
}

/// The files below `folder`, until there are none left or `budget` is spent.
fn collect(folder: &Path, budget: &mut u64, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut entries: Vec<_> = entries.filter_map(Result::ok).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, Ok(metadata)) = (entry.path(), entry.metadata()) else { continue };
        // Folders of compiled Python change while tests run.
        if path.to_str().is_none_or(|path| path.ends_with("__pycache__")) {
            continue;
        }
        if metadata.is_dir() {
            collect(&path, budget, files);
        } else if metadata.is_file() && metadata.len() < LARGEST_FILE {
            let Some(left) = budget.checked_sub(metadata.len()) else {
                *budget = 0;
                return;
            };
            *budget = left;
            files.push(path);
        }
    }
}
