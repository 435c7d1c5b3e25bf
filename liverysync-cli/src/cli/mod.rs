//! All commands and options, a file for each command. Names of options are keys of the config file too: see
//! [`crate::config`].

pub(crate) mod backups;
pub(crate) mod client;
pub(crate) mod groups;
pub(crate) mod identity;
pub(crate) mod ignore;
pub(crate) mod league;
pub(crate) mod lint;
pub(crate) mod owner;
#[cfg(test)]
mod reference;
pub(crate) mod server;
pub(crate) mod share;
pub(crate) mod status;
pub(crate) mod values;

use clap::{Args, Parser, Subcommand};

use self::{
    backups::BackupsCommand,
    client::ClientArgs,
    identity::IdentityCommand,
    ignore::IgnoreCommand,
    league::LeagueCommand,
    lint::LintArgs,
    owner::{RenameArgs, ReplaceArgs, WithdrawArgs},
    server::ServerArgs,
    share::ShareCommand,
    status::{ScanArgs, StatusArgs},
};

const AFTER_HELP: &str = "\
Every option of client, status, scan, lint, backups, ignore, share, withdraw, rename, replace, identity, server and league can also be set by an environment variable (shown \
beside it) or in a config file. A flag overrides a variable, and a variable overrides the file.

  [client]                       # for client, status, scan, lint, backups, ignore, share, withdraw, rename, replace and identity
  host = \"league.example\"
  name = \"Aoi\"

  [server]                       # for server and league
  port = 9239
  allow-list = \"liveries.txt\"    # relative paths start at the config file's folder

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 timed out, 4 done except for what is listed.";

const OWNERS: &str = "\
You can do this with liveries that you own, whether or not a client is running. Every PC keeps a copy in .backup. --dry-run \
shows what would happen.";

/// Keep the custom liveries of an Assetto Corsa Competizione league the same on every driver's PC
#[derive(Debug, Parser)]
#[command(
    name = "liverysync",
    version,
    arg_required_else_help = true,
    subcommand_required = true,
    max_term_width = 100,
    after_help = AFTER_HELP
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Keep this PC's liveries in sync with the league
    Client(ClientArgs),
    /// Show whether this PC is in sync, what is missing and why
    #[command(
        after_help = "This changes nothing and does not disturb a running client. For each conflict that concerns this \
            PC, `status` also says what you can do."
    )]
    Status(StatusArgs),
    /// Show which files of a folder would be shared
    #[command(after_help = "Every file that would be skipped is listed with the reason.")]
    Scan(ScanArgs),
    /// Check liveries before you share them
    #[command(
        after_help = "Each problem comes with a hint. Nothing is changed and nothing is sent. Without problems the exit code is 0, \
            otherwise 4."
    )]
    Lint(LintArgs),
    /// List, restore and prune backups of replaced files
    #[command(subcommand)]
    Backups(BackupsCommand),
    /// Choose which liveries this PC ignores
    #[command(
        subcommand,
        after_help = "An ignored livery is neither downloaded nor shared, and your copy stays as it is. A GLOB is the name of \
            a livery in upper or lower case; * matches any characters, ? matches one. A running client notices \
            the change within a second."
    )]
    Ignore(IgnoreCommand),
    /// Choose which liveries this PC shares with a league
    #[command(
        subcommand,
        after_help = "The choice is about liveries that the league does not have. Those that it has sync both ways. It is kept for \
            each league. A PC that has more than 10 liveries that are new to a league shares none of them until you \
            choose. A GLOB is as for `ignore`, which has the last word. A running client notices the change within a \
            second. `withdraw` takes back what was shared."
    )]
    Share(ShareCommand),
    /// Withdraw your liveries, or single files, from every PC
    #[command(after_help = OWNERS)]
    Withdraw(WithdrawArgs),
    /// Rename one of your liveries on every PC
    #[command(after_help = OWNERS)]
    Rename(RenameArgs),
    /// Retire one of your liveries in favour of a newer one
    #[command(after_help = OWNERS)]
    Replace(ReplaceArgs),
    /// Show who you are, and take your identity to another PC
    #[command(
        subcommand,
        after_help = "Leagues recognize you by a member key, in whatever folder. It is in the identity file. `export` and `import` \
            ask for a passphrase; scripts give it in LIVERYSYNC_PASSPHRASE or on standard input. The key itself travels \
            unencrypted to the servers that you connect to."
    )]
    Identity(IdentityCommand),
    /// Run the league's server
    #[command(
        after_help = "The server prints one line on standard output once it listens: `listening on ADDRESS:PORT`. Its log is \
            on standard error.\nJoining is not protected yet: anyone who can reach the port can join and send files."
    )]
    Server(ServerArgs),
    /// Show and change the league's liveries
    #[command(
        subcommand,
        after_help = "Run these commands on the server's machine. They use its data folder. A running server makes \
            the change at once. Without one, the change reaches the drivers when the server starts."
    )]
    League(LeagueCommand),
    /// Run a server and three drivers on this PC, in a temporary folder
    #[command(
        after_help = "The demo makes its own liveries and touches nothing else. At the end it compares the three folders byte \
            for byte."
    )]
    Demo(DemoArgs),
    /// Print completions for a shell
    Completions {
        /// Shell to complete for
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Keep the folders and print where they are
    #[arg(long)]
    pub(crate) keep: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_options_are_consistent() {
        Cli::command().debug_assert();
    }
}
