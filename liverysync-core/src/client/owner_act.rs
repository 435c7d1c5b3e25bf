//! Asking the server for an act of this driver, over a connection for nothing else. A client may run beside it.

use super::protocol_1::Dialect;
use crate::{
    league::{Act, ActError, ActReport, MemberKey},
    text::{limit_name, limit_said},
    wire::messages::{ActRequest, BUILD, Hello, Message, PROTOCOL_2},
};

/// A connection that asks for one act.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct ActTalk {
    name: String,
    key: Option<MemberKey>,
    request: Option<ActRequest>,
}

/// The next thing to do.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq)]
pub enum ActStep {
    /// Send these messages and wait.
    Send(Vec<Message>),
    /// The server has answered.
    Answered(Result<ActReport, ActError>),
    /// The server cannot answer, for this reason.
    Failed(String),
}

impl ActTalk {
    /// Begins to ask for an act of the member with this key, or with `preview` only for what it would do.
    #[must_use]
    pub fn new(name: &str, key: Option<MemberKey>, act: Act, preview: bool) -> Self {
        let request = Some(ActRequest { act, preview });
        Self { name: limit_name(name).to_owned(), key, request }
    }

    /// Handles a message of the server.
    pub fn handle(&mut self, message: Message) -> ActStep {
        match message {
            Message::Welcome(welcome) => {
                let dialect = Dialect::of(&welcome);
                if !dialect.speaks_v2() {
                    return ActStep::Failed(
                        "the server is too old: it does not know owners".to_owned(),
                    );
                }
                if let Some(reason) = dialect.other_build(&welcome) {
                    return ActStep::Failed(reason.to_owned());
                }
                // Without a hash, it is not asked for its files.
                let hello = Hello {
                    steam_id: "UNKNOWN".to_owned(),
                    client_name: self.name.clone(),
                    liverysync: Some(PROTOCOL_2),
                    build: Some(BUILD),
                    member_key: self.key.as_ref().map(MemberKey::to_hex),
                    ..Hello::default()
                };
                let request = self.request.take().map(Message::Act);
                ActStep::Send([Message::Hello(hello)].into_iter().chain(request).collect())
            }
            Message::Acted(reply) => ActStep::Answered(reply.into()),
            Message::Error(mut report) if report.sync_id.is_none() => {
                limit_said(&mut report.message);
                ActStep::Failed(report.message)
            }
            _ => ActStep::Send(Vec::new()),
        }
    }
}
