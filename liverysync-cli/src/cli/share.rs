//! Options of `liverysync share`.

use clap::{Args, Subcommand};
use liverysync::DEFAULT_PORT;

use super::groups::{LiveriesArgs, OutputArgs, StateArgs};

#[derive(Debug, Subcommand)]
pub(crate) enum ShareCommand {
    /// Share liveries from now on
    Add(ShareChangeArgs),
    /// Stop sharing liveries that the league does not have
    Remove(ShareChangeArgs),
    /// List the shared liveries
    List(ShareArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ShareChangeArgs {
    /// Names of liveries; * matches any characters, ? matches one, and a ! in front makes an exception to the globs before it
    #[arg(value_name = "GLOB", required = true)]
    pub(crate) globs: Vec<String>,
    #[command(flatten)]
    pub(crate) common: ShareArgs,
}

/// The options of every command for shared liveries.
#[derive(Debug, Args)]
pub(crate) struct ShareArgs {
    /// Host name or address of the league's server [default: that of the last league]
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// TCP port of the server
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    #[command(flatten)]
    pub(crate) liveries: LiveriesArgs,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl ShareArgs {
    /// Returns the server's host and port, if one was given.
    pub(crate) fn server(&self) -> Option<(&str, u16)> {
        if self.host.is_none() && self.port.is_none() {
            return None;
        }
        let host = self.host.as_deref().unwrap_or("127.0.0.1");
        Some((host, self.port.unwrap_or(DEFAULT_PORT)))
    }
}
