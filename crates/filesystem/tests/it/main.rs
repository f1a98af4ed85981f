//! The driver over real directories: one program, a module for each subject.

#![cfg(target_os = "linux")]

mod damage;
mod floors;
mod full_disk;
mod hostile;
mod interchange;
mod model;
mod notes;
mod own;
mod races;
mod restart;
mod skips;
