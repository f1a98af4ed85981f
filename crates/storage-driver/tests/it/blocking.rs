//! `storage_driver::blocking`: tasks in order for each path, and uploads whose backend is full.

mod backend;
mod tasks;
mod uploads;
