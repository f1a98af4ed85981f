//! What the plots have in common.

use plotters::prelude::*;

use crate::harness::Who;

/// Who is drawn. Ours last, so that it lies on top.
pub(super) const SUBJECTS: [Who; 4] = [Who::ObjectStore, Who::Opendal, Who::Naive, Who::Ours];

/// The family that text is set in; what is there of it is up to who shows the file.
pub(super) const FONT: &str = "sans-serif";

/// A colour for each, that those who see few tell apart.
pub(super) fn color(who: Who) -> RGBColor {
    match who {
        Who::ObjectStore => RGBColor(213, 94, 0),
        Who::Opendal => RGBColor(0, 158, 115),
        Who::Naive => RGBColor(130, 130, 130),
        _ => RGBColor(0, 114, 178),
    }
}

/// Lines in that colour; ours are thicker.
pub(super) fn stroke(who: Who) -> ShapeStyle {
    color(who).stroke_width(if who == Who::Ours { 3 } else { 2 })
}

/// A short line in that colour, for the legend.
pub(super) fn mark(who: Who, (x, y): (i32, i32)) -> PathElement<(i32, i32)> {
    PathElement::new(vec![(x, y), (x + 18, y)], stroke(who))
}
