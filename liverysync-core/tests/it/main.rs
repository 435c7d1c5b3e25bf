//! Tests of the public API, in one binary.

mod hostile_client;
mod hostile_server;
mod lineage;
mod lists;
mod manifest;
mod path;
#[path = "../../../tests/share/mod.rs"]
mod share;
mod union;
mod vectors;
mod wire;
