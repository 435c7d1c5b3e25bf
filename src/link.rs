//! A TCP connection: frames are read within limits, messages are written from a bounded queue, and files are sent as
//! the peer has room for them.
//!
//! A link holds at most one frame that is being read, `WRITE_BYTES` and one piece of the files that it sends, the
//! buffers to compress them, and `CONTROL_BYTES_MAX` of other messages. A peer that lets more pile up is
//! disconnected.

mod batch;
mod outbox;
mod outgoing;
mod pool;
mod reader;
#[cfg(test)]
#[cfg(all(feature = "client", feature = "server"))]
mod tests;
mod writer;

use std::{io, time::Duration};

use liverysync_core::wire::WireError;
use tokio::net::TcpStream;

pub(crate) use self::{
    outbox::Outbox, outgoing::SendReport, pool::Pool, reader::Reader, writer::Writer,
};

/// The reason why a link ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    #[error("the connection was closed by the other side")]
    Closed,
    #[error("the connection was closed in the middle of a message")]
    Truncated,
    #[error("a message did not arrive completely in time")]
    ReadTimeout,
    #[error("the other side does not accept data any more")]
    WriteTimeout,
    #[error("the other side sends more than it may")]
    #[cfg_attr(not(feature = "client"), expect(dead_code, reason = "only a client needs it"))]
    CreditExceeded,
    #[error(transparent)]
    Frame(#[from] WireError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Splits a connection into a reader, a queue and a writer. [`Writer::run`] empties the queue.
///
/// A write may make no progress for `write_timeout`. Pieces of files are read into buffers of `pool`.
pub(crate) fn split(
    stream: TcpStream,
    write_timeout: Duration,
    pool: &Pool,
) -> io::Result<(Reader, Outbox, Writer)> {
    stream.set_nodelay(true)?;
    let (read, write) = stream.into_split();
    let (outbox, queue) = outbox::queue();
    let writer = Writer::new(write, queue, write_timeout);
    Ok((Reader::new(read, pool.clone()), outbox, writer))
}
