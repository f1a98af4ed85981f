//! The distribution specification, version 1.1.1, from top to bottom: each sentence with a MUST,
//! MUST NOT, SHOULD or SHOULD NOT that is about a registry, with a test that is named after it.
//!
//! The sentences are numbered in the order of the text. The comment above each test quotes its sentence.
//!
//! | sentences | how many | which |
//! |---|---|---|
//! | in all | 134 | |
//! | tested here | 93 | all that are not below |
//! | about clients | 38 | 1, 2, 11, 13, 15, 18, 19, 24, 25, 36, 37, 43, 50, 57, 59, 61, 62, 65, 67, 71, 77–83, 108–110, 116, 120–123, 132–134 |
//! | left out | 3 | 3 defines the words; 41 is about registries without a single POST, 48 about those with a least size of chunks |
//!
//! One deviation, the same as distribution's: 85, 90 and 92 require tags in "lexical order (i.e.
//! case-insensitive alphanumeric order)". This registry sorts them by their bytes, so that `B` is before `a`.

mod api;
mod catalog;
mod conditions;
mod discovery;
mod errors;
mod management;
mod manifests;
mod mounts;
mod negotiation;
mod pull;
mod push;
mod ranges;
mod referrers;
