//! [`Rope`]: a sequence of any number of segments, in small nodes.

use std::{ops::Range, vec};

use bytes::Bytes;
use storage_driver::Payload;
use triomphe::{Arc, UniqueArc};

use crate::work;

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
/// A clone is a reference. A push copies the shared nodes on the right edge, at most one a level, and nothing
/// else.
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
    /// The end of each child, counted from the beginning of the node.
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

    /// All segments, if there are several and this may be the last to hold them.
    pub(crate) fn into_last_pieces(self) -> Option<Pieces> {
        let Self::Tree(root) = self else { return None };
        Pieces { first: Some(Piece::Node(root)), levels: Vec::new() }.into_last()
    }

    /// Appends a segment, which is not empty.
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

    /// The bytes of `range`, clipped to the rope, sharing the segments.
    ///
    /// It takes a step for each level, and for a part of a rope at most [`FANOUT`] steps a level at either
    /// end.
    pub(crate) fn pieces(&self, range: Range<u64>) -> Pieces {
        let mut range = range.start..range.end.min(self.len());
        let mut pieces = Pieces { first: None, levels: Vec::new() };
        let mut node = match self {
            _ if range.is_empty() => return pieces,
            Self::Empty => return pieces,
            Self::One(segment) => {
                pieces.first = Some(Piece::Segment(slice(segment, &range)));
                return pieces;
            }
            Self::Tree(root) => root,
        };
        // Down to the lowest node that has all of the range: one segment needs no list.
        loop {
            let (first, last) = node.children_of(&range);
            if range == (0..node.len()) {
                pieces.first = Some(Piece::Node(Arc::clone(node)));
                return pieces;
            } else if first < last {
                node.cut(range, &mut pieces.levels);
                return pieces;
            }
            range = node.inside(first, &range);
            match &node.children {
                Children::Segments(segments) => {
                    pieces.first = Some(Piece::Segment(slice(&segments[first], &range)));
                    return pieces;
                }
                Children::Nodes(nodes) => node = &nodes[first],
            }
        }
    }

    /// The bytes of `range` as one payload.
    pub(crate) fn payload(&self, range: Range<u64>) -> Payload {
        match self {
            Self::One(segment) if range == (0..segment.len() as u64) => segment.clone().into(),
            _ => self.pieces(range).collect(),
        }
    }
}

/// The segments of a range that were not returned yet, and no others: it holds a node only while no segment
/// below the node was returned.
#[derive(Debug)]
pub(crate) struct Pieces {
    first: Option<Piece>,
    /// The pieces after it: the children of opened nodes, those of the lowest node last.
    levels: Vec<Level>,
}

#[derive(Debug)]
enum Piece {
    Segment(Bytes),
    Node(Arc<Node>),
}

#[derive(Debug)]
enum Level {
    Segments(vec::IntoIter<Bytes>),
    Nodes(vec::IntoIter<Arc<Node>>),
}

fn slice(segment: &Bytes, range: &Range<u64>) -> Bytes {
    segment.slice(range.start as usize..range.end as usize)
}

impl Pieces {
    /// Whether there is at most one segment.
    pub(crate) fn is_short(&self) -> bool {
        self.levels.is_empty() && !matches!(self.first, Some(Piece::Node(_)))
    }

    /// The same if it has more than one segment and may be the last to hold them.
    pub(crate) fn into_last(mut self) -> Option<Self> {
        if let Some(Piece::Node(node)) = self.first {
            self.first = Arc::into_unique(node).map(|node| Piece::Node(node.shareable()));
        }
        (!self.is_short()).then_some(self)
    }

    fn pop(&mut self) -> Option<Piece> {
        work::count(1);
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        while let Some(level) = self.levels.last_mut() {
            let piece = match level {
                Level::Segments(segments) => segments.next().map(Piece::Segment),
                Level::Nodes(nodes) => nodes.next().map(Piece::Node),
            };
            if piece.is_some() {
                return piece;
            }
            self.levels.pop();
        }
        None
    }

    fn open(&mut self, children: Children) {
        self.levels.push(match children {
            Children::Segments(segments) => Level::Segments(segments.into_iter()),
            Children::Nodes(nodes) => Level::Nodes(nodes.into_iter()),
        });
    }

    /// Takes out the next segment to free it. Returns `Some(None)` after a step without a segment, which opened
    /// a node or left it to its other owners.
    pub(crate) fn free_next(&mut self) -> Option<Option<Bytes>> {
        match self.pop()? {
            Piece::Segment(segment) => return Some(Some(segment)),
            Piece::Node(node) => {
                if let Some(node) = Arc::into_unique(node) {
                    self.open(UniqueArc::into_inner(node).children);
                }
            }
        }
        Some(None)
    }
}

impl Iterator for Pieces {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        loop {
            match self.pop()? {
                Piece::Segment(segment) => return Some(segment),
                Piece::Node(node) => self.open(match Arc::try_unique(node) {
                    Ok(node) => UniqueArc::into_inner(node).children,
                    Err(node) => node.children.clone(),
                }),
            }
        }
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

    /// Appends a segment; returns it if there is no room.
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

    /// The first and the last child that have bytes of `range`, which is not empty.
    fn children_of(&self, range: &Range<u64>) -> (usize, usize) {
        let first = self.ends.partition_point(|&end| end <= range.start);
        (first, first + self.ends[first..].partition_point(|&end| end < range.end))
    }

    /// The part of a child that lies in `range`.
    fn inside(&self, child: usize, range: &Range<u64>) -> Range<u64> {
        let start = child.checked_sub(1).map_or(0, |before| self.ends[before]);
        let (from, to) = (range.start.max(start), range.end.min(self.ends[child]));
        from - start..to - start
    }

    /// Puts the parts of the children that lie in `range` into `levels`, the last part first.
    fn cut(&self, range: Range<u64>, levels: &mut Vec<Level>) {
        let (first, last) = self.children_of(&range);
        work::count(last - first + 1);
        match &self.children {
            Children::Segments(segments) => {
                let slices = (first..=last).map(|n| slice(&segments[n], &self.inside(n, &range)));
                levels.push(Level::Segments(slices.collect::<Vec<_>>().into_iter()));
            }
            Children::Nodes(nodes) => {
                let whole = |child: usize| self.inside(child, &range) == (0..nodes[child].len());
                let (mut start, mut end) = (first, last + 1);
                if first < last && !whole(last) {
                    nodes[last].cut(self.inside(last, &range), levels);
                    end = last;
                }
                start += usize::from(!whole(first));
                if start < end {
                    let whole: Vec<_> = nodes[start..end].iter().map(Arc::clone).collect();
                    levels.push(Level::Nodes(whole.into_iter()));
                }
                if start > first {
                    nodes[first].cut(self.inside(first, &range), levels);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
