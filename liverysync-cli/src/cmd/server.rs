//! `liverysync server`: runs the league's server until it is stopped.

use std::{collections::BTreeSet, mem, net::SocketAddr};

use liverysync::{Events, Protocol, RelPath, ServerError, ServerEvent as Event, Skipped};

use super::{GATHER_PAUSE, Interrupts, reload::Reload, verify};
use crate::{
    cli::server::ServerArgs,
    exit::{Exit, Failure},
    output::{self, json},
    text::{error, server as text},
};

pub(super) fn run(args: &ServerArgs) -> Result<(), Failure> {
    if args.verify_store {
        return verify::run(args.data.as_deref(), args.output.json);
    }
    raise_open_files();
    super::runtime()?.block_on(serve(args))
}

/// Raises the limit of open files as far as the system lets this process: each link and each file on its way counts.
#[cfg(unix)]
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    /// macOS takes no higher limit, whatever it names as the maximum.
    const MACOS_MAX: u64 = 10_240;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = if cfg!(target_vendor = "apple") {
        Some(maximum.map_or(MACOS_MAX, |maximum| maximum.min(MACOS_MAX)))
    } else {
        maximum
    };
    // `None` is no limit.
    if current.is_some_and(|current| wanted.is_none_or(|wanted| current < wanted)) {
        // With the limit as it is, the server still works, for fewer drivers.
        let _unchanged = setrlimit(Resource::Nofile, Rlimit { current: wanted, maximum });
    }
}

/// Does nothing: this system has no such limit.
#[cfg(not(unix))]
const fn raise_open_files() {}

async fn serve(args: &ServerArgs) -> Result<(), Failure> {
    let mut interrupts = Interrupts::new()?;
    let mut reload = Reload::new(args.speed.limits());
    let started = args.builder().start_with_events().await;
    let (server, mut events) = started.map_err(|error| explain(&error))?;
    let mut view = View::new(args);
    let shown = view.listening(server.address());
    let watched = match shown {
        Ok(()) => tokio::select! {
            ended = watch(&mut events, &mut view, &mut interrupts) => ended,
            () = async { loop { server.set_limits(reload.next().await) } } => Ok(()),
        },
        Err(failure) => Err(failure),
    };
    interrupts.unless_again(server.stop()).await?;
    watched
}

async fn watch(
    events: &mut Events<Event>,
    view: &mut View,
    interrupts: &mut Interrupts,
) -> Result<(), Failure> {
    loop {
        tokio::select! {
            () = interrupts.next() => return Ok(()),
            event = events.next() => match event {
                Some(event) => view.event(&event)?,
                None => return Err(error::server_ended().into()),
            },
            () = tokio::time::sleep(GATHER_PAUSE), if view.has_gathered() => view.flush(),
        }
    }
}

fn explain(error: &ServerError) -> Failure {
    let exit = match error {
        ServerError::OwnersNeedData => Exit::Usage,
        _ => Exit::Failed,
    };
    Failure::new(exit, error::server(error))
}

/// Most files that wait to be shown together. Peers that never stop talking leave no pause in which that could be done.
const GATHERED_MAX: usize = 10_000;

/// Shows the events of a server.
struct View {
    json: bool,
    verbose: bool,
    /// Names of drivers who have connected and not yet reported what they have.
    joined: BTreeSet<String>,
    /// Files that a driver does not get, with the driver's name and the reason: they are shown together.
    withheld: Vec<(String, RelPath, String)>,
    /// Files that were left out, with their driver's name.
    left_out: Vec<(String, Vec<Skipped>)>,
}

impl View {
    const fn new(args: &ServerArgs) -> Self {
        let (json, verbose) = (args.output.json, args.detail.verbose);
        let joined = BTreeSet::new();
        Self { json, verbose, joined, withheld: Vec::new(), left_out: Vec::new() }
    }

    fn listening(&self, address: SocketAddr) -> Result<(), Failure> {
        output::line(&if self.json { json::listening(address) } else { text::listening(address) })?;
        if !address.ip().is_loopback() {
            output::note(&text::unprotected());
        }
        Ok(())
    }

    fn event(&mut self, event: &Event) -> Result<(), Failure> {
        if self.json {
            return Ok(output::line(&json::event(event))?);
        }
        match event {
            Event::Withheld { name, path, reason } => {
                self.withheld.push((name.clone(), path.clone(), reason.to_string()));
            }
            _ => {
                if let Some(line) = self.line(event) {
                    self.flush();
                    output::note(&line);
                }
            }
        }
        // Shown after the line of its driver.
        if let Event::Manifest { name, left_out, .. } = event
            && !left_out.is_empty()
        {
            self.left_out.push((name.clone(), left_out.clone()));
        }
        if self.gathered() >= GATHERED_MAX {
            self.flush();
        }
        Ok(())
    }

    /// Returns the number of files that wait to be shown together.
    fn gathered(&self) -> usize {
        let left_out = self.left_out.iter().map(|(_, items)| items.len());
        self.withheld.len() + left_out.sum::<usize>()
    }

    fn line(&mut self, event: &Event) -> Option<String> {
        Some(match event {
            Event::Joined { name, address, protocol, .. } => {
                self.joined.insert(name.clone());
                text::joined(name, address, *protocol != Protocol::V2)
            }
            Event::Left { name, reason, .. } => text::left(name, reason),
            // A report follows every file that has arrived.
            Event::Manifest { name, liveries, bytes, .. }
                if self.joined.remove(name) || self.verbose =>
            {
                text::manifest(name, *liveries, *bytes)
            }
            Event::Conflict { name, path, conflict_path } => {
                text::conflict(name, path, conflict_path)
            }
            Event::Held { name, livery, .. } => text::held(name.as_deref(), livery),
            Event::Damaged { name, path, damage, published } => {
                text::damaged(name.as_deref(), path, &damage.to_string(), *published)
            }
            Event::Finding { name, finding, published } => {
                text::finding(name.as_deref(), finding, *published)
            }
            Event::Refused { name, path, reason } => text::refused(name, path, reason),
            Event::SessionBegan { source, target, files, bytes, .. } if self.verbose => {
                text::transfer(source.as_deref(), target.as_deref(), *files, *bytes)
            }
            Event::SessionEnded { source, target, installed, failed, .. }
                if self.verbose || *failed > 0 =>
            {
                text::transferred(source.as_deref(), target.as_deref(), *installed, *failed)
            }
            Event::OwnerActed { name, act, names, retired, .. } => {
                text::owner_acted(name, act, names, *retired)
            }
            Event::OwnerChanged { livery, owner, by } => {
                text::owner_changed(livery, owner.as_deref(), by)
            }
            Event::AllowListFault { reason } => text::allow_list_fault(reason),
            Event::AllowListUnmatched { names } => text::allow_list_unmatched(names),
            Event::DatabaseFault { reason } => text::database_fault(reason),
            Event::SettingsDiffer { settings } => text::settings_differ(
                settings.iter().map(|one| (one.setting, &*one.used, &*one.given)),
            ),
            Event::StoreFault { content, reason } => text::store_fault(&content.short(), reason),
            Event::SourceFault { name, path, fault } => text::source_fault(name, path, fault),
            Event::SourceSilent { name, files } => text::source_silent(name, *files),
            Event::TargetFault { name, path, message, for_good } => {
                text::target_fault(name, path, message, *for_good)
            }
            Event::InSync { clients, liveries, .. } => text::in_sync(*clients, *liveries),
            _ => return None,
        })
    }

    const fn has_gathered(&self) -> bool {
        !self.withheld.is_empty() || !self.left_out.is_empty()
    }

    fn flush(&mut self) {
        for (name, items) in mem::take(&mut self.left_out) {
            text::left_out(&name, &items, self.verbose).iter().for_each(|line| output::note(line));
        }
        let withheld = mem::take(&mut self.withheld);
        text::withheld(&withheld, self.verbose).iter().for_each(|line| output::note(line));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed test may panic")]
mod tests {
    use liverysync_core::select::Reason;

    use super::*;

    #[test]
    fn what_waits_to_be_shown_has_an_end() {
        let (joined, withheld, left_out) = (BTreeSet::new(), Vec::new(), Vec::new());
        let mut view = View { json: false, verbose: false, joined, withheld, left_out };
        let left_out = vec![Skipped::new("T/link.png".to_owned(), Reason::Link); 3000];
        let event =
            Event::Manifest { name: "Aoi".to_owned(), liveries: 0, files: 0, bytes: 0, left_out };
        for number in [3000, 6000, 9000, 0, 3000] {
            view.event(&event).unwrap();
            assert_eq!(view.gathered(), number);
        }
    }
}
