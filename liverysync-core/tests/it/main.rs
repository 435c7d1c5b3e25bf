//! Tests of the public API, in one binary.

mod path;
