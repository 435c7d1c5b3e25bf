//! What travels over a link: length-prefixed frames, and the messages of each protocol generation.

mod body;
mod chunk;
mod compress;
pub mod frame;
pub mod v1;
pub mod v2;
