//! Options of `liverysync league`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use liverysync::{
    MemberId, UnixTime,
    league::{Act, League, LeagueError, Setting},
};

use crate::units::parse_size;

use super::{
    groups::{DetailArgs, OutputArgs},
    values::{parse_date, parse_setting},
};

#[derive(Debug, Subcommand)]
pub(crate) enum LeagueCommand {
    /// Make a league in a new data folder: a livery in conflict is kept whole, and only owners update
    Create(LeagueArgs),
    /// Show a summary of the league
    Status(LeagueArgs),
    /// List the members and what they have
    #[command(args_conflicts_with_subcommands = true)]
    Members(LeagueMembersArgs),
    /// List all liveries, including retired ones
    Liveries(LeagueArgs),
    /// Show a livery's history, newest version first
    History(LeagueHistoryArgs),
    /// List conflicts: names that several contents claim
    Conflicts(LeagueArgs),
    /// Resolve a conflict: one content keeps the name, the others are retired
    Resolve(LeagueResolveArgs),
    /// Rename a livery on every PC
    Rename(LeagueRenameArgs),
    /// Retire a livery in favour of another one that the league has
    Replace(LeagueReplaceArgs),
    /// Retire liveries, by name, by pattern or of one driver: every PC moves them to .backup
    Retire(LeagueRetireArgs),
    /// Restore an older version of a livery
    Restore(LeagueRestoreArgs),
    /// Make a member an owner of a livery (see the setting `updates`)
    Own(LeagueOwnArgs),
    /// List waiting liveries: changes that the other drivers do not get yet
    Held(LeagueArgs),
    /// Approve waiting liveries: the others get them (see the setting `approval`)
    Approve(LeagueDecideArgs),
    /// Reject waiting liveries: they stay on their drivers' PCs until the drivers change them
    Reject(LeagueDecideArgs),
    /// Freeze liveries before a race: nothing changes until the freeze ends
    Freeze(LeagueFreezeArgs),
    /// End freezes: changes made in the meantime take effect
    Unfreeze(LeagueUnfreezeArgs),
    /// Ban a driver: their key is refused, what they published stays
    Ban(LeagueBanArgs),
    /// Let a banned driver connect again
    Unban(LeagueBanArgs),
    /// Block a content: it is retired under every name, and nobody gets it again
    Block(LeagueBlockArgs),
    /// End the block of a content
    Unblock(LeagueBlockArgs),
    /// Check the league's liveries by its rules (see the settings `lint` and `lint-rules`)
    Lint(LeagueLintArgs),
    /// Show the league's settings
    Show(LeagueArgs),
    /// Change a setting of the league
    Set(LeagueSetArgs),
    /// Rebuild a damaged league database from what can still be read; stop the server first
    Rebuild(LeagueArgs),
}

#[derive(Debug, Args)]
pub(crate) struct LeagueHistoryArgs {
    /// The livery's folder
    pub(crate) livery: String,
    #[command(flatten)]
    pub(crate) common: LeagueArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LeagueResolveArgs {
    /// Name in conflict, such as Team/decals.png
    #[arg(value_name = "PATH")]
    path: String,
    /// Content that keeps the name: the name of the driver who brought it, or the first digits of its SHA-256, as
    /// `liverysync league conflicts` shows them; `none` retires all conflict copies of a name that no content has
    #[arg(long, value_name = "NAME|HASH")]
    keep: String,
    #[command(flatten)]
    common: LeagueArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LeagueRenameArgs {
    /// The livery's folder
    livery: String,
    /// New name of the folder
    new: String,
    #[command(flatten)]
    common: LeagueArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LeagueReplaceArgs {
    /// Folder of the livery that is retired
    old: String,
    /// Folder of its successor, which the league already has
    new: String,
    #[command(flatten)]
    common: LeagueArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LeagueRetireArgs {
    /// The liveries' folders, or patterns of them such as "S3 *" (* matches any characters, ? matches one);
    /// Team/sponsors.png is only that file of one
    #[arg(value_name = "LIVERY[/FILE]", required_unless_present = "from")]
    pub(crate) retired: Vec<String>,
    /// Only the liveries that one member owns or brought alone, and their conflict copies: their name, or the 16 digits that
    /// `liverysync league members` shows
    #[arg(long, value_name = "MEMBER")]
    pub(crate) from: Option<String>,
    /// Show what would be retired, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Confirm that more than 10 liveries, or at least 5 that are more than 30 % of all, are to be retired
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) common: LeagueArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LeagueBanArgs {
    /// Member: their name, or the 16 digits that `liverysync league members` shows
    member: String,
    #[command(flatten)]
    common: LeagueArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LeagueBlockArgs {
    /// Content: a file of the league that has it, such as Team/decals.png, or the first digits of its SHA-256
    #[arg(value_name = "PATH|HASH")]
    content: String,
    #[command(flatten)]
    common: LeagueArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LeagueRestoreArgs {
    /// The livery's folder
    livery: String,
    /// Version to restore: the first digits of its hash, as `liverysync league history` shows them [default: the last one
    /// before the livery was retired]
    #[arg(long, value_name = "HASH")]
    version: Option<String>,
    #[command(flatten)]
    common: LeagueArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LeagueMembersArgs {
    #[command(subcommand)]
    command: Option<MembersCommand>,
    #[command(flatten)]
    common: LeagueArgs,
}

#[derive(Debug, Subcommand)]
enum MembersCommand {
    /// Merge two members who are the same driver
    #[command(
        after_help = "NEW gets what OLD has published and owns. Whoever has either key is NEW. This cannot be undone."
    )]
    Merge(MergeArgs),
}

#[derive(Debug, Args)]
struct MergeArgs {
    /// Member who is merged into the other one: their name, or the 16 digits that `liverysync league members` shows
    old: String,
    /// Member who remains
    new: String,
    #[command(flatten)]
    common: LeagueArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LeagueOwnArgs {
    /// Give the member NEW everything that OLD owns; OLD owns nothing afterwards
    #[arg(long, num_args = 2, value_names = ["OLD", "NEW"], conflicts_with_all = ["livery", "member"])]
    all_of: Option<Vec<String>>,
    /// The livery's folder
    #[arg(required_unless_present = "all_of")]
    livery: Option<String>,
    /// Member: their name, or the 16 digits that `liverysync league members` shows
    #[arg(required_unless_present = "all_of")]
    member: Option<String>,
    #[command(flatten)]
    common: LeagueArgs,
}

#[derive(Debug, Args)]
#[group(id = "which", required = true, multiple = false, args = ["decided", "from", "all"])]
pub(crate) struct LeagueDecideArgs {
    /// The liveries' folders, as `liverysync league held` shows them
    #[arg(value_name = "LIVERY")]
    decided: Vec<String>,
    /// All waiting liveries of one member: their name, or the 16 digits that `liverysync league members` shows
    #[arg(long, value_name = "MEMBER")]
    from: Option<String>,
    /// All waiting liveries
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    common: LeagueArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LeagueFreezeArgs {
    /// Folders of the liveries; * matches any characters, ? matches one [default: all]
    #[arg(value_name = "GLOB")]
    pub(crate) globs: Vec<String>,
    /// When the freeze ends by itself: this PC's time, such as "2026-12-05 20:00", or RFC 3339 [default: when you end it]
    #[arg(long, value_name = "TIME", value_parser = parse_date)]
    pub(crate) until: Option<UnixTime>,
    #[command(flatten)]
    common: LeagueArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LeagueUnfreezeArgs {
    /// Freezes to end, as `liverysync league show` shows them [default: all]
    #[arg(value_name = "GLOB")]
    pub(crate) globs: Vec<String>,
    #[command(flatten)]
    common: LeagueArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LeagueLintArgs {
    /// Rules (TOML) to try, instead of those of the league
    #[arg(long, value_name = "FILE")]
    pub(crate) rules: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) detail: DetailArgs,
    #[command(flatten)]
    pub(crate) common: LeagueArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LeagueSetArgs {
    /// Setting: conflict-suffix, conflict-scope, conflict-policy, extensions, updates, approval, frozen,
    /// max-liveries-per-member, max-bytes-per-member, max-bytes-per-livery, lint or lint-rules
    #[arg(value_name = "KEY", value_parser = parse_setting)]
    pub(crate) setting: Setting,
    /// New value, as for the server's option of the same name; `approval` is `on` or `off`; a limit is a number, or a size
    /// such as 500MB, or `none`; `lint` is `off`, `warn` or `hold`; `lint-rules` is a file (TOML), or `default`
    pub(crate) value: String,
    #[command(flatten)]
    common: LeagueArgs,
}

/// The options of every command for a league.
#[derive(Debug, Args)]
pub(crate) struct LeagueArgs {
    /// The server's data folder
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl LeagueCommand {
    /// Returns the options of every command.
    pub(crate) const fn common(&self) -> &LeagueArgs {
        match self {
            Self::Create(common)
            | Self::Status(common)
            | Self::Members(
                LeagueMembersArgs { command: None, common }
                | LeagueMembersArgs {
                    command: Some(MembersCommand::Merge(MergeArgs { common, .. })),
                    ..
                },
            )
            | Self::Liveries(common)
            | Self::Conflicts(common)
            | Self::Held(common)
            | Self::Show(common)
            | Self::Rebuild(common)
            | Self::History(LeagueHistoryArgs { common, .. })
            | Self::Resolve(LeagueResolveArgs { common, .. })
            | Self::Rename(LeagueRenameArgs { common, .. })
            | Self::Replace(LeagueReplaceArgs { common, .. })
            | Self::Retire(LeagueRetireArgs { common, .. })
            | Self::Restore(LeagueRestoreArgs { common, .. })
            | Self::Own(LeagueOwnArgs { common, .. })
            | Self::Approve(LeagueDecideArgs { common, .. })
            | Self::Reject(LeagueDecideArgs { common, .. })
            | Self::Freeze(LeagueFreezeArgs { common, .. })
            | Self::Unfreeze(LeagueUnfreezeArgs { common, .. })
            | Self::Ban(LeagueBanArgs { common, .. })
            | Self::Unban(LeagueBanArgs { common, .. })
            | Self::Block(LeagueBlockArgs { common, .. })
            | Self::Unblock(LeagueBlockArgs { common, .. })
            | Self::Lint(LeagueLintArgs { common, .. })
            | Self::Set(LeagueSetArgs { common, .. }) => common,
        }
    }

    /// Returns the change to make, for a command that changes the league.
    ///
    /// Looks up the members that it names in the league.
    pub(crate) fn act(&self, league: &mut League) -> Result<Option<Act>, LeagueError> {
        Ok(Some(match self {
            Self::Resolve(LeagueResolveArgs { path, keep, .. }) => {
                Act::Resolve { path: path.clone(), keep: league.content_by(path, keep)? }
            }
            Self::Rename(LeagueRenameArgs { livery, new, .. }) => {
                Act::Rename { livery: livery.clone(), new: new.clone() }
            }
            Self::Replace(LeagueReplaceArgs { old, new, .. }) => {
                Act::Replace { old: old.clone(), new: new.clone() }
            }
            Self::Restore(LeagueRestoreArgs { livery, version, .. }) => {
                Act::Restore { livery: livery.clone(), version: version.clone() }
            }
            Self::Own(LeagueOwnArgs { all_of: Some(members), .. }) => {
                let [former, member] = &members[..] else { return Ok(None) };
                Act::OwnAll { former: known(league, former)?, member: known(league, member)? }
            }
            Self::Own(LeagueOwnArgs { livery: Some(livery), member: Some(member), .. }) => {
                Act::Own { livery: livery.clone(), member: league.member(member)? }
            }
            Self::Members(LeagueMembersArgs {
                command: Some(MembersCommand::Merge(args)), ..
            }) => {
                Act::Merge { former: known(league, &args.old)?, member: known(league, &args.new)? }
            }
            Self::Approve(LeagueDecideArgs { decided, from, .. }) => {
                let from = from.as_ref().map(|from| league.member(from)).transpose()?;
                Act::Approve { liveries: decided.clone(), from }
            }
            Self::Reject(LeagueDecideArgs { decided, from, .. }) => {
                let from = from.as_ref().map(|from| league.member(from)).transpose()?;
                Act::Reject { liveries: decided.clone(), from }
            }
            Self::Set(LeagueSetArgs { setting, value, .. }) => {
                Act::Set { setting: *setting, value: limit_value(*setting, value) }
            }
            Self::Ban(args) => Act::Ban { member: known(league, &args.member)? },
            Self::Unban(args) => Act::Unban { member: known(league, &args.member)? },
            Self::Block(args) => Act::Block { content: args.content.clone() },
            Self::Unblock(args) => Act::Unblock { content: args.content.clone() },
            _ => return Ok(None),
        }))
    }
}

/// Returns a limit in bytes for one that is written as a size. Any other value stays as it is.
fn limit_value(setting: Setting, value: &str) -> String {
    let size = match setting {
        Setting::MaxBytesPerMember | Setting::MaxBytesPerLivery => parse_size(value).ok(),
        _ => None,
    };
    size.map_or_else(|| value.to_owned(), |size| size.to_string())
}

/// Returns a member whom the league knows. A typo in the digits would create a member who does not exist.
pub(crate) fn known(league: &mut League, name: &str) -> Result<MemberId, LeagueError> {
    let member = league.member(name)?;
    let is_known = league.members()?.iter().any(|row| row.member == member);
    is_known.then_some(member).ok_or_else(|| LeagueError::NoMember { name: name.to_owned() })
}
