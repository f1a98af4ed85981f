//! Which file system a directory is on.

use std::{fs, path::Path};

/// The kind of it as the kernel says, such as `ext4` or `tmpfs`; a question mark where it says
/// nothing.
pub(crate) fn kind(dir: &Path) -> String {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let kind = kind_in(&mounts, &dir).unwrap_or("?");
    kind.to_owned()
}

/// The last of the deepest mounts above `dir` is the one that is seen.
fn kind_in<'a>(mounts: &'a str, dir: &Path) -> Option<&'a str> {
    let parts = mounts.lines().filter_map(|line| {
        let mut parts = line.split(' ').skip(1);
        Some((parts.next()?, parts.next()?))
    });
    let above = parts.filter(|(at, _)| dir.starts_with(at));
    above.max_by_key(|(at, _)| at.len()).map(|(_, kind)| kind)
}

#[test]
fn the_deepest_mount_counts() {
    let mounts = "a / ext4 rw 0 0\nb /m tmpfs rw 0 0\nc /m/n xfs rw 0 0\n";
    let kind = |dir| kind_in(mounts, Path::new(dir));
    assert_eq!(kind("/m/nn"), Some("tmpfs"));
    assert_eq!(kind("/m/n/o"), Some("xfs"));
    assert_eq!(kind("/mm"), Some("ext4"));
}
