//! [`Disk`]: a model of a disk, with the trees that it may hold after a power cut.
//!
//! Until it is synced, a change of a file's content may be lost, whole or from some byte on; a change
//! of a directory may be lost, alone or with others, in any order except for changes of one name; a
//! rename is lost or done on both sides, which journalling file systems promise (ext4, XFS, Btrfs).

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs::{self, File},
    path::Path,
    time::{Duration, SystemTime},
};

use crate::sys::probe::{Effect, Inode};

type Id = usize;

/// A name in a directory.
type Slot = (Id, String);

#[derive(Debug, Clone, Default)]
pub(super) struct Disk {
    objects: Vec<Object>,
    by_inode: HashMap<Inode, Id>,
    /// The names as the running system sees them.
    names: BTreeMap<Slot, Id>,
    /// The names that are durable.
    durable: BTreeMap<Slot, Id>,
    /// The changes of names that are not durable, in order.
    pending: Vec<Change>,
}

/// A change to one name, or to two at once.
type Change = Vec<(Slot, Option<Id>)>;

#[derive(Debug, Clone)]
enum Object {
    Dir,
    File { durable: Content, pending: Vec<Write> },
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Content {
    bytes: Vec<u8>,
    modified: i64,
}

#[derive(Debug, Clone)]
enum Write {
    Bytes { offset: u64, bytes: Vec<u8> },
    Truncate(u64),
    Times(i64),
}

impl Write {
    fn apply(&self, content: &mut Content) {
        match self {
            Self::Bytes { offset, bytes } => {
                let end = *offset as usize + bytes.len();
                if content.bytes.len() < end {
                    content.bytes.resize(end, 0);
                }
                content.bytes[*offset as usize..end].copy_from_slice(bytes);
            }
            Self::Truncate(size) => content.bytes.resize(*size as usize, 0),
            Self::Times(modified) => content.modified = *modified,
        }
    }
}

/// What a disk holds: directories have no content.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Tree(BTreeMap<String, Option<Content>>);

/// How much of the writes that were not synced a disk holds.
#[derive(Debug, Clone, Copy)]
enum Luck {
    None,
    All,
    /// Half of each write, and no later one.
    Torn,
}

impl Disk {
    /// A disk with an empty root.
    pub(super) fn new(root: Inode) -> Self {
        let by_inode = HashMap::from([(root, 0)]);
        Self { objects: vec![Object::Dir], by_inode, ..Self::default() }
    }

    fn add(&mut self, inode: Inode, object: Object) -> Id {
        self.objects.push(object);
        let id = self.objects.len() - 1;
        self.by_inode.insert(inode, id);
        id
    }

    fn slot(&self, (dir, name): &(Inode, String)) -> Slot {
        (self.by_inode[dir], name.clone())
    }

    fn change(&mut self, change: Change) {
        for (slot, id) in &change {
            match id {
                Some(id) => self.names.insert(slot.clone(), *id),
                None => self.names.remove(slot),
            };
        }
        self.pending.push(change);
    }

    fn write(&mut self, file: Inode, write: Write) {
        if let Object::File { pending, .. } = &mut self.objects[self.by_inode[&file]] {
            pending.push(write);
        }
    }

    /// Applies the effect of a call.
    pub(super) fn apply(&mut self, effect: &Effect) {
        match effect {
            Effect::Create { dir, name, file } => {
                let object = Object::File { durable: Content::default(), pending: Vec::new() };
                let id = self.add(*file, object);
                self.change(vec![((self.by_inode[dir], name.clone()), Some(id))]);
            }
            Effect::CreateUnnamed { file } => {
                let object = Object::File { durable: Content::default(), pending: Vec::new() };
                self.add(*file, object);
            }
            Effect::Name { file, to } => {
                let (id, to) = (self.by_inode[file], self.slot(to));
                self.change(vec![(to, Some(id))]);
            }
            Effect::Mkdir { dir, name, made } => {
                let id = self.add(*made, Object::Dir);
                self.change(vec![((self.by_inode[dir], name.clone()), Some(id))]);
            }
            Effect::Write { file, offset, bytes } => {
                self.write(*file, Write::Bytes { offset: *offset, bytes: bytes.clone() });
            }
            Effect::Truncate { file, size } => self.write(*file, Write::Truncate(*size)),
            Effect::Times { file, modified } => self.write(*file, Write::Times(*modified)),
            Effect::Rename { from, to } => {
                let (from, to) = (self.slot(from), self.slot(to));
                let id = self.names[&from];
                self.change(vec![(from, None), (to, Some(id))]);
            }
            Effect::Link { from, to } => {
                let (from, to) = (self.slot(from), self.slot(to));
                let id = self.names[&from];
                self.change(vec![(to, Some(id))]);
            }
            Effect::Remove { dir, name } => {
                self.change(vec![((self.by_inode[dir], name.clone()), None)]);
            }
            Effect::SyncData { inode } => self.sync_file(self.by_inode[inode], false),
            Effect::Sync { inode } => {
                let id = self.by_inode[inode];
                self.sync_file(id, true);
                let names = self.closed(|_, change| change.iter().any(|((dir, _), _)| *dir == id));
                self.settle(&names);
            }
            Effect::SyncAll => {
                (0..self.objects.len()).for_each(|id| self.sync_file(id, true));
                self.settle(&(0..self.pending.len()).collect());
            }
        }
    }

    fn sync_file(&mut self, id: Id, times: bool) {
        let Object::File { durable, pending } = &mut self.objects[id] else { return };
        pending.retain(|write| {
            let safe = times || !matches!(write, Write::Times(_));
            if safe {
                write.apply(durable);
            }
            !safe
        });
    }

    /// The changes that `wanted` names, and those before them to the same names.
    fn closed(&self, wanted: impl Fn(usize, &Change) -> bool) -> HashSet<usize> {
        let mut chosen = HashSet::new();
        let mut slots: HashSet<&Slot> = HashSet::new();
        for (number, change) in self.pending.iter().enumerate().rev() {
            if wanted(number, change) || change.iter().any(|(slot, _)| slots.contains(slot)) {
                chosen.insert(number);
                slots.extend(change.iter().map(|(slot, _)| slot));
            }
        }
        chosen
    }

    /// Makes these changes durable.
    fn settle(&mut self, chosen: &HashSet<usize>) {
        let mut number = 0;
        let durable = &mut self.durable;
        self.pending.retain(|change| {
            let is_chosen = chosen.contains(&number);
            number += 1;
            if is_chosen {
                apply(durable, change);
            }
            !is_chosen
        });
    }

    /// The trees that may be found after a power cut now: all of them if they are few, or a selection.
    pub(super) fn after_a_power_cut(&self) -> HashSet<Tree> {
        /// With more changes, not every combination is tried.
        const ALL: usize = 4;
        let count = self.pending.len();
        let mut choices = Vec::new();
        if count <= ALL {
            choices.extend(
                (0..1_u64 << count).map(|bits| self.closed(|number, _| bits >> number & 1 == 1)),
            );
        } else {
            choices.push(HashSet::new());
            choices.push((0..count).collect());
            let alone: Vec<_> =
                (0..count).map(|at| self.closed(|number, _| number == at)).collect();
            for at in 0..count {
                choices.push(self.closed(|number, _| number < at));
                // All but this one, and those that depend on it.
                choices.push((0..count).filter(|&number| !alone[number].contains(&at)).collect());
            }
            choices.extend(alone);
        }
        let mut found = HashSet::new();
        for choice in choices {
            for luck in [Luck::None, Luck::All, Luck::Torn] {
                found.insert(self.tree(&choice, luck));
            }
        }
        found
    }

    fn tree(&self, chosen: &HashSet<usize>, luck: Luck) -> Tree {
        let mut names = self.durable.clone();
        for (number, change) in self.pending.iter().enumerate() {
            if chosen.contains(&number) {
                apply(&mut names, change);
            }
        }
        let mut tree = Tree::default();
        self.visit(&names, 0, "", luck, &mut tree);
        tree
    }

    fn visit(&self, names: &BTreeMap<Slot, Id>, dir: Id, path: &str, luck: Luck, tree: &mut Tree) {
        for ((_, name), &id) in names.iter().filter(|((at, _), _)| *at == dir) {
            let path = format!("{path}/{name}");
            match &self.objects[id] {
                Object::Dir => {
                    tree.0.insert(path.clone(), None);
                    self.visit(names, id, &path, luck, tree);
                }
                Object::File { durable, pending } => {
                    let mut content = durable.clone();
                    for write in pending {
                        match (luck, write) {
                            (Luck::None, _) => {}
                            (Luck::Torn, Write::Bytes { offset, bytes }) => {
                                let bytes = bytes[..bytes.len() / 2].to_vec();
                                Write::Bytes { offset: *offset, bytes }.apply(&mut content);
                                break;
                            }
                            (Luck::All | Luck::Torn, write) => write.apply(&mut content),
                        }
                    }
                    tree.0.insert(path, Some(content));
                }
            }
        }
    }
}

fn apply(names: &mut BTreeMap<Slot, Id>, change: &Change) {
    for (slot, id) in change {
        match id {
            Some(id) => names.insert(slot.clone(), *id),
            None => names.remove(slot),
        };
    }
}

fn is_reserved(path: &str) -> bool {
    path[1..].starts_with(crate::root::reserved::RESERVED)
}

impl Tree {
    /// The committed files, by their paths.
    pub(super) fn committed(&self) -> impl Iterator<Item = (&str, &Vec<u8>)> {
        let committed = self.0.iter().filter(|(path, _)| !is_reserved(path));
        committed.filter_map(|(path, content)| Some((path.as_str(), &content.as_ref()?.bytes)))
    }

    /// The driver's own files alone.
    pub(super) fn reserved(&self) -> Self {
        let reserved = self.0.iter().filter(|(path, _)| is_reserved(path));
        Self(reserved.map(|(path, content)| (path.clone(), content.clone())).collect())
    }

    /// Writes the tree into an empty directory.
    pub(super) fn write(&self, root: &Path) {
        for (path, content) in &self.0 {
            let place = root.join(&path[1..]);
            match content {
                None => fs::create_dir(place).unwrap(),
                Some(content) => {
                    fs::write(&place, &content.bytes).unwrap();
                    let modified = Duration::from_nanos(content.modified.unsigned_abs());
                    let file = File::options().write(true).open(place).unwrap();
                    file.set_modified(SystemTime::UNIX_EPOCH + modified).unwrap();
                }
            }
        }
    }
}
