//! Options of `liverysync client`.

use std::time::Duration;

use clap::Args;
use liverysync_core::client::ClientConfig;

use super::{
    groups::{AddressArgs, LiveriesArgs, OutputArgs, SharedArgs, SpeedArgs, StateArgs},
    values::{parse_name, seconds},
};
use crate::units::parse_seconds;

#[derive(Debug, Args)]
pub(crate) struct ClientArgs {
    #[command(flatten)]
    pub(crate) address: AddressArgs,
    /// Your name, as the other drivers see it [default: the host name]
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    name: Option<String>,
    #[command(flatten)]
    pub(crate) liveries: LiveriesArgs,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    /// Exit as soon as this PC is in sync
    #[arg(long)]
    pub(crate) once: bool,
    /// With --once or --dry-run: give up after this time, with exit code 3
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    pub(crate) timeout: Option<Duration>,
    /// Show what would happen and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    shared: SharedArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) speed: SpeedArgs,
    #[command(flatten)]
    limits: ClientLimits,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Limits and timers (0 never means unlimited)")]
struct ClientLimits {
    /// Scan the folder at least this often, even if nothing seems to have changed
    #[arg(long, default_value = seconds(defaults().rescan), value_name = "SECONDS", value_parser = parse_seconds)]
    rescan_seconds: Duration,
    /// Share a file once it has not changed for this long; the rest of its livery waits for it, for at most 10 s
    #[arg(long, default_value = seconds(defaults().settle), value_name = "SECONDS", value_parser = parse_seconds)]
    settle_seconds: Duration,
    /// Wait this long before reconnecting for the first time; the wait doubles each time
    #[arg(long, default_value = seconds(defaults().retry_first), value_name = "SECONDS", value_parser = parse_seconds)]
    retry_first_seconds: Duration,
    /// Longest wait before reconnecting
    #[arg(long, default_value = seconds(defaults().retry_cap), value_name = "SECONDS", value_parser = parse_seconds)]
    retry_max_seconds: Duration,
    /// Reconnect when the server is silent for this long
    #[arg(long, default_value = seconds(defaults().silence_timeout), value_name = "SECONDS", value_parser = parse_seconds)]
    silence_timeout_seconds: Duration,
    /// Stop waiting for a file that an old server does not send for this long
    #[arg(long, default_value = seconds(defaults().stall_timeout), value_name = "SECONDS", value_parser = parse_seconds)]
    stall_timeout_seconds: Duration,
}

impl ClientArgs {
    /// Returns the settings of the core.
    pub(crate) fn core(&self) -> ClientConfig {
        let limits = &self.limits;
        ClientConfig {
            name: self.name.clone().unwrap_or_else(crate::cmd::host_name),
            settle: limits.settle_seconds,
            rescan: limits.rescan_seconds,
            retry_first: limits.retry_first_seconds,
            retry_cap: limits.retry_max_seconds,
            silence_timeout: limits.silence_timeout_seconds,
            stall_timeout: limits.stall_timeout_seconds,
            dry_run: self.dry_run,
            ..self.shared.client()
        }
    }
}

fn defaults() -> ClientConfig {
    ClientConfig::default()
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    #[test]
    fn defaults_are_those_of_the_core() {
        let Command::Client(args) =
            Cli::parse_from(["liverysync", "client", "--name", "Aoi"]).command
        else {
            panic!("not the client");
        };
        let expected = ClientConfig { name: "Aoi".to_owned(), ..ClientConfig::default() };
        assert_eq!(format!("{:?}", args.core()), format!("{expected:?}"));
    }
}
