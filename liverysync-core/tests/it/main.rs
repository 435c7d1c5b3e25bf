//! Tests of the public API, in one binary.

mod lineage;
mod manifest;
mod path;
mod union;
mod vectors;
mod wire;
