//! The messages by which owners change their liveries.

use serde::{Deserialize, Serialize};

use super::is_false;
use crate::league::{Act, ActError, ActReport};

/// The payload of [`Message::Act`](super::Message::Act).
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActRequest {
    /// The act.
    #[serde(flatten)]
    pub act: Act,
    /// Set to be told what the act would do, and change nothing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub preview: bool,
}

/// The payload of [`Message::Acted`](super::Message::Acted). The server answers requests in their order.
#[doc(hidden)]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActReply {
    /// The effect of the act.
    #[serde(flatten)]
    pub report: ActReport,
    /// The reason why it was refused. Nothing has changed then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<ActError>,
}

impl From<Result<ActReport, ActError>> for ActReply {
    fn from(outcome: Result<ActReport, ActError>) -> Self {
        let (report, refused) = match outcome {
            Ok(report) => (report, None),
            Err(error) => (ActReport::default(), Some(error)),
        };
        Self { report, refused }
    }
}

impl From<ActReply> for Result<ActReport, ActError> {
    fn from(reply: ActReply) -> Self {
        reply.refused.map_or(Ok(reply.report), Err)
    }
}
