//! Changes of the driver's own liveries, over a connection for nothing else. A client may run beside it.

use std::{io, time::Duration};

use bytes::BytesMut;
use liverysync_core::{
    client::{ActStep, ActTalk},
    league::{Act, ActReport},
    wire::{frame, messages::Message},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    runtime::Handle,
    time::timeout,
};

use super::{ClientBuilder, ClientError, builder::server_name, connect::connect};

/// The longest time until the server has answered.
const TIMEOUT: Duration = Duration::from_secs(30);

impl ClientBuilder {
    /// Changes liveries that this driver owns, on every PC of the league: [`Act::Retire`] withdraws them, or single files;
    /// [`Act::Rename`] gives one another name; [`Act::Replace`] retires one in favour of another. Only an admin can do
    /// the other acts.
    ///
    /// A client of the same driver may run meanwhile. It needs the driver's [identity](Self::identity), which the first
    /// start of a client makes. With [`dry_run`](Self::dry_run) nothing changes, and the report says what would.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError::Refused`] if the server refuses, with [`ClientError::Server`] if it cannot be reached or does
    /// not answer within 30 s, and if the identity cannot be read.
    pub async fn act(self, act: &Act) -> Result<ActReport, ClientError> {
        let runtime = Handle::try_current().map_err(|_| ClientError::NoRuntime)?;
        let (server, address) =
            (server_name(&self.host, self.port), (self.host.clone(), self.port));
        let preview = self.config.dry_run;
        // Another identity than the one that owns the liveries would be of no use, so none is made.
        let config = runtime.spawn_blocking(move || self.dry_run(true).identified()).await;
        let (config, _file) = config.map_err(|_| ClientError::NoRuntime)??;
        let talk = ActTalk::new(&config.name, config.keys.member, act.clone(), preview);
        let answer = match timeout(TIMEOUT, ask(address, talk)).await {
            Ok(answer) => answer,
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time")),
        };
        match answer {
            Ok(answer) => answer.map_err(ClientError::Refused),
            Err(source) => Err(ClientError::Server { server, source }),
        }
    }
}

type Answer = Result<ActReport, liverysync_core::league::ActError>;

async fn ask(address: (String, u16), mut talk: ActTalk) -> io::Result<Answer> {
    let mut stream = connect(address).await?;
    let (mut buffer, mut limit) = (BytesMut::new(), frame::SMALL_BYTES_MAX);
    loop {
        let message = next(&mut stream, &mut buffer, limit).await?;
        limit = frame::server_limit(&message, limit);
        let step = talk.handle(message);
        match step {
            ActStep::Send(messages) => {
                let mut out = BytesMut::new();
                messages.iter().for_each(|message| message.write_frame(&mut out));
                stream.write_all(&out).await?;
            }
            ActStep::Answered(answer) => return Ok(answer),
            ActStep::Failed(reason) => return Err(io::Error::other(reason)),
        }
    }
}

/// Reads the next message.
async fn next(stream: &mut TcpStream, buffer: &mut BytesMut, limit: usize) -> io::Result<Message> {
    loop {
        let message = Message::read_frame(buffer, limit);
        let message = message.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        if let Some(message) = message {
            return Ok(message);
        }
        if stream.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}
