//! [`Rope`]: a sequence of segments, however many, in small pieces.

use std::ops::Range;

use bytes::Bytes;
use storage_driver::Payload;
use triomphe::{Arc, UniqueArc};

/// The most children of a node. A full leaf takes 64 × (32 + 8) bytes, so that no part of the table
/// of segments is ever larger than 2.5 KiB.
const FANOUT: usize = 64;

/// A sequence of segments that grows at its end and shares everything with its clones.
///
/// ```text
///              ends [64 seg │ 128 seg │ …]            an inner node holds, for each child,
///                │          │                         where it ends: an offset is found by one
///          ┌─────┘          └──────┐                  binary search a level
///  ends [1 MiB │ 2 MiB │ …]   [1 MiB │ …]
///         │       │              │
///       Bytes   Bytes          Bytes                  segments, never touched again
/// ```
///
/// A clone is a reference; a push copies the nodes on the right edge that are shared, one a level,
/// and nothing else.
#[derive(Debug, Clone, Default)]
pub(crate) enum Rope {
    #[default]
    Empty,
    /// Most files: no node at all.
    One(Bytes),
    Tree(Arc<Node>),
}

#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// Where each child ends, counted from where the node begins.
    ends: Vec<u64>,
    children: Children,
}

#[derive(Debug, Clone)]
enum Children {
    Segments(Vec<Bytes>),
    Nodes(Vec<Arc<Node>>),
}

impl Rope {
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Empty => 0,
            Self::One(segment) => segment.len() as u64,
            Self::Tree(root) => root.len(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes out every segment that no other rope holds, or not in the same piece of the table.
    pub(crate) fn drain(self) -> Drain {
        let mut drain = Drain { nodes: Vec::new(), segments: Vec::new().into_iter() };
        match self {
            Self::Empty => {}
            Self::One(segment) => drain.segments = vec![segment].into_iter(),
            Self::Tree(root) => drain.nodes.push(root),
        }
        drain
    }

    /// Puts a segment, which is not empty, behind the others.
    pub(crate) fn push(&mut self, segment: Bytes) {
        debug_assert!(!segment.is_empty());
        match self {
            Self::Empty => *self = Self::One(segment),
            Self::One(first) => {
                let mut leaf = Node::leaf(std::mem::take(first));
                // A leaf of one segment has room.
                let _ = leaf.push(segment);
                *self = Self::Tree(Arc::new(leaf));
            }
            Self::Tree(root) => {
                if let Err(segment) = Arc::make_mut(root).push(segment) {
                    let edge = Node::edge(root.height(), segment);
                    let ends = vec![root.len(), root.len() + edge.len()];
                    let children = Children::Nodes(vec![Arc::clone(root), Arc::new(edge)]);
                    *root = Arc::new(Node { ends, children });
                }
            }
        }
    }

    /// The bytes from `range.start` to the end of the segment they are in, or to `range.end` if
    /// that is earlier; `None` of an empty range.
    pub(crate) fn chunk(&self, range: Range<u64>) -> Option<Bytes> {
        if range.start >= range.end.min(self.len()) {
            return None;
        }
        let (segment, offset) = match self {
            Self::Empty => return None,
            Self::One(segment) => (segment, range.start),
            Self::Tree(root) => root.find(range.start),
        };
        let length = (segment.len() as u64 - offset).min(range.end - range.start);
        Some(segment.slice(offset as usize..(offset + length) as usize))
    }

    /// The bytes of `range`, sharing the segments.
    pub(crate) fn payload(&self, range: Range<u64>) -> Payload {
        match self {
            Self::One(segment) if range == (0..segment.len() as u64) => segment.clone().into(),
            _ => Chunks { rope: self, range }.collect(),
        }
    }
}

/// The segments of a [`Rope`], taken out.
#[derive(Debug)]
pub(crate) struct Drain {
    nodes: Vec<Arc<Node>>,
    segments: std::vec::IntoIter<Bytes>,
}

impl Iterator for Drain {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(segment) = self.segments.next() {
                return Some(segment);
            }
            let node = Arc::into_unique(self.nodes.pop()?).map(UniqueArc::into_inner);
            match node.map(|node| node.children) {
                Some(Children::Segments(segments)) => self.segments = segments.into_iter(),
                Some(Children::Nodes(nodes)) => self.nodes.extend(nodes),
                None => {}
            }
        }
    }
}

struct Chunks<'a> {
    rope: &'a Rope,
    range: Range<u64>,
}

impl Iterator for Chunks<'_> {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let chunk = self.rope.chunk(self.range.clone())?;
        self.range.start += chunk.len() as u64;
        Some(chunk)
    }
}

impl Node {
    fn leaf(segment: Bytes) -> Self {
        Self { ends: vec![segment.len() as u64], children: Children::Segments(vec![segment]) }
    }

    /// A path of `height` nodes above a leaf, for one segment.
    fn edge(height: usize, segment: Bytes) -> Self {
        (0..height).fold(Self::leaf(segment), |node, _| Self {
            ends: vec![node.len()],
            children: Children::Nodes(vec![Arc::new(node)]),
        })
    }

    fn len(&self) -> u64 {
        self.ends.last().copied().unwrap_or_default()
    }

    /// How many levels are below; 0 of a leaf.
    fn height(&self) -> usize {
        let below = |node: &Self| match &node.children {
            Children::Nodes(nodes) => nodes.first().cloned(),
            Children::Segments(_) => None,
        };
        std::iter::successors(below(self), |node| below(node)).count()
    }

    /// Puts a segment at the end; gives it back if there is no room.
    fn push(&mut self, segment: Bytes) -> Result<(), Bytes> {
        let length = segment.len() as u64;
        let end = self.len();
        match &mut self.children {
            Children::Segments(segments) => {
                if segments.len() == FANOUT {
                    return Err(segment);
                }
                segments.push(segment);
            }
            Children::Nodes(nodes) => {
                let full = nodes.len() == FANOUT;
                let Some(last) = nodes.last_mut() else { return Err(segment) };
                match Arc::make_mut(last).push(segment) {
                    Ok(()) => {
                        self.ends.pop();
                    }
                    Err(segment) if full => return Err(segment),
                    Err(segment) => {
                        let edge = Self::edge(last.height(), segment);
                        nodes.push(Arc::new(edge));
                    }
                }
            }
        }
        self.ends.push(end + length);
        Ok(())
    }

    /// The segment that holds the byte at `offset`, which is inside, and where in it.
    fn find(&self, mut offset: u64) -> (&Bytes, u64) {
        let mut node = self;
        loop {
            let index = node.ends.partition_point(|&end| end <= offset);
            offset -= index.checked_sub(1).map_or(0, |before| node.ends[before]);
            match &node.children {
                Children::Segments(segments) => return (&segments[index], offset),
                Children::Nodes(nodes) => node = &nodes[index],
            }
        }
    }
}

#[cfg(test)]
mod tests;
