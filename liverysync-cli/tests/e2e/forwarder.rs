//! A line between clients and a server that can be cut and that records its traffic.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// A direction of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

/// The number of bytes in one direction after which the first connection is cut.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    pub(crate) way: Way,
    pub(crate) after: usize,
}

/// A piece of a file that went over the line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
}

/// The traffic of each connection.
type Seen = Arc<Mutex<Vec<(Way, Vec<Piece>)>>>;

pub(crate) struct Forwarder {
    pub(crate) port: u64,
    seen: Seen,
}

impl Forwarder {
    /// Forwards to this port of loopback, from a new port.
    pub(crate) fn start(server: u64, cut: Cut) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port().into();
        let seen = Seen::default();
        let all = Arc::clone(&seen);
        let server = u16::try_from(server).unwrap();
        thread::spawn(move || {
            for (number, client) in listener.incoming().map_while(Result::ok).enumerate() {
                let Ok(to_server) = TcpStream::connect(("127.0.0.1", server)) else { return };
                let (to_client, from_server) =
                    (client.try_clone().unwrap(), to_server.try_clone().unwrap());
                for (way, from, to) in
                    [(Way::Up, client, to_server), (Way::Down, from_server, to_client)]
                {
                    let cut = (number == 0 && way == cut.way).then_some(cut.after);
                    let place = {
                        let mut all = all.lock().unwrap();
                        all.push((way, Vec::new()));
                        all.len() - 1
                    };
                    let all = Arc::clone(&all);
                    thread::spawn(move || forward(from, to, cut, &all, place));
                }
            }
        });
        Self { port, seen }
    }

    /// Returns the pieces of files in one direction, connection by connection.
    pub(crate) fn pieces(&self, way: Way) -> Vec<Vec<Piece>> {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|(one, _)| *one == way).map(|(_, pieces)| pieces.clone()).collect()
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream, cut: Option<usize>, seen: &Seen, place: usize) {
    let mut left = cut.unwrap_or(usize::MAX);
    let mut frames = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    while left > 0 {
        let most = buffer.len().min(left);
        let Ok(count @ 1..) = from.read(&mut buffer[..most]) else { break };
        left -= count;
        frames.extend_from_slice(&buffer[..count]);
        seen.lock().unwrap()[place].1.extend(take_pieces(&mut frames));
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    // The connections may be closed already.
    let _closed = from.shutdown(Shutdown::Both);
    let _closed = to.shutdown(Shutdown::Both);
}

/// Takes whole frames from the front, and returns those that are pieces of files.
fn take_pieces(frames: &mut Vec<u8>) -> Vec<Piece> {
    let mut pieces = Vec::new();
    while let Some(header) = frames.first_chunk::<4>() {
        let end = 4 + u32::from_be_bytes(*header) as usize;
        if frames.len() < end {
            break;
        }
        // A piece has a kind, which is 1, flags, a number and its offset first.
        if frames[4] == 1 {
            let offset = u64::from_be_bytes(frames[10..18].try_into().unwrap());
            pieces.push(Piece { offset, bytes: (end - 18) as u64 });
        }
        frames.drain(..end);
    }
    pieces
}
