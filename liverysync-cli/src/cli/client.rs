//! Options of `liverysync client`.

use std::time::Duration;

use clap::Args;
use liverysync::{Client, ClientBuilder};

use super::{
    groups::{
        AddressArgs, DetailArgs, IdentityArgs, LintRulesArgs, LiveriesArgs, OutputArgs, SharedArgs,
        SharingArgs, SpeedArgs, StateArgs,
    },
    values::parse_name,
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
    #[command(flatten)]
    pub(crate) identity: IdentityArgs,
    /// Exit as soon as this PC is in sync, with exit code 4 if it lists something that remains to be done
    #[arg(long)]
    pub(crate) once: bool,
    /// With --once or --dry-run: give up after this time, with exit code 3
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    pub(crate) timeout: Option<Duration>,
    /// Show what would happen and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) sharing: SharingArgs,
    #[command(flatten)]
    pub(crate) rules: LintRulesArgs,
    #[command(flatten)]
    shared: SharedArgs,
    #[command(flatten)]
    pub(crate) detail: DetailArgs,
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
    #[arg(long, default_value = "60", value_name = "SECONDS", value_parser = parse_seconds)]
    rescan_seconds: Duration,
    /// Share a file once it has not changed for this long; the rest of its livery waits for it, for at most 10 s
    #[arg(long, default_value = "0.3", value_name = "SECONDS", value_parser = parse_seconds)]
    settle_seconds: Duration,
    /// Wait this long before reconnecting for the first time; the wait doubles each time
    #[arg(long, default_value = "1", value_name = "SECONDS", value_parser = parse_seconds)]
    retry_first_seconds: Duration,
    /// Longest wait before reconnecting
    #[arg(long, default_value = "30", value_name = "SECONDS", value_parser = parse_seconds)]
    retry_max_seconds: Duration,
    /// Reconnect when the server is silent for this long
    #[arg(long, default_value = "90", value_name = "SECONDS", value_parser = parse_seconds)]
    silence_timeout_seconds: Duration,
    /// Stop waiting for a file that an old server does not send for this long
    #[arg(long, default_value = "60", value_name = "SECONDS", value_parser = parse_seconds)]
    stall_timeout_seconds: Duration,
}

impl ClientArgs {
    /// Returns the configuration of the client, but for its folders.
    pub(crate) fn builder(&self) -> ClientBuilder {
        let limits = &self.limits;
        let builder = Client::builder(self.address.host.clone())
            .port(self.address.port)
            .limits(self.speed.limits())
            .settle(limits.settle_seconds)
            .rescan(limits.rescan_seconds)
            .retry_first(limits.retry_first_seconds)
            .retry_max(limits.retry_max_seconds)
            .silence_timeout(limits.silence_timeout_seconds)
            .stall_timeout(limits.stall_timeout_seconds)
            .dry_run(self.dry_run);
        let builder = match &self.name {
            Some(name) => builder.name(name),
            None => builder,
        };
        self.shared.apply(self.sharing.apply(builder))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    #[test]
    fn defaults_are_those_of_the_library() {
        let Command::Client(args) =
            Cli::parse_from(["liverysync", "client", "--name", "Aoi"]).command
        else {
            panic!("not the client");
        };
        let expected = Client::builder("127.0.0.1").name("Aoi");
        assert_eq!(format!("{:?}", args.builder()), format!("{expected:?}"));
    }
}
