//! What travels over a link: length-prefixed frames, and the messages of each protocol generation.

pub mod frame;
pub mod v1;
