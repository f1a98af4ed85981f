//! The protocol, explored within bounds: with all of its steps, and with one step left out.

mod broken;
mod holds;
mod support;
