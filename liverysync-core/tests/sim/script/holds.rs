//! Changes that an admin holds back, and lets go.

use liverysync_core::{
    league::{Act, Setting},
    server,
    time::UnixTime,
};

use super::{Script, files::LIVERIES};
use crate::rig::{SECOND, SimServer, World};

impl Script {
    /// Changes a rule of holds, decides about something that is held, or neither.
    pub(super) fn hold(&mut self, world: &mut World) {
        let SimServer::New(server) = &world.server else { return };
        let held = server.machine.union().held().map(|held| held.livery.clone());
        let mut held: Vec<_> = held.collect();
        held.push(LIVERIES[self.holds.below(self.names) as usize].to_owned());
        let livery = self.holds.pick(&held).clone();
        let set = |setting, value: String| Act::Set { setting, value };
        let act = match self.holds.below(19) {
            0 | 1 => set(Setting::Approval, "on".to_owned()),
            2 => set(Setting::Approval, "off".to_owned()),
            3 => set(Setting::Frozen, livery),
            4 => {
                let end = world.date().as_nanos() + self.holds.range(1, 60) as i64 * SECOND as i64;
                set(Setting::Frozen, format!("*\t{}", UnixTime::from_nanos(end)))
            }
            5 => set(Setting::Frozen, String::new()),
            6 => Act::Approve { liveries: Vec::new(), from: None },
            7 => Act::Approve { liveries: vec![livery], from: None },
            8 => Act::Reject { liveries: vec![livery], from: None },
            13 => set(Setting::MaxLiveriesPerMember, self.holds.pick(&LIMITS).to_string()),
            14 => {
                let names: Vec<_> = server.machine.union().iter().collect();
                if names.is_empty() {
                    return;
                }
                let entry = self.holds.pick(&names);
                world.put_away.insert(entry.content);
                Act::Block { content: entry.content.hash.to_string() }
            }
            15 => match server.machine.union().blocked().next() {
                Some(hash) => Act::Unblock { content: hash.to_string() },
                None => return,
            },
            16 => set(Setting::LintRules, self.holds.pick(&RULES).to_string()),
            17 => set(Setting::Lint, "hold".to_owned()),
            18 => set(Setting::Lint, self.holds.pick(&["off", "warn"]).to_string()),
            9..=12 => return world.feed_server(server::Input::Date(world.date())),
            _ => return,
        };
        administer(world, act);
    }
}

/// Limits on the number of a member's liveries.
const LIMITS: [&str; 3] = ["none", "2", "4"];

/// Rules for liveries.
const RULES: [&str; 3] =
    ["default", r##"{"names":["T*","#*","x*"]}"##, r#"{"files":["decals*","*.txt"]}"#];

pub(super) fn administer(world: &mut World, act: Act) {
    world.say(|| format!("the administrator: {act:?}"));
    world.mark_busy(|| "the administrator".into());
    world.feed_server(server::Input::Act(2, act));
}

/// Lets everything go.
pub(super) fn release_all(world: &mut World) {
    let off = [
        (Setting::Approval, "off"),
        (Setting::Frozen, ""),
        (Setting::MaxLiveriesPerMember, "none"),
        (Setting::Lint, "off"),
    ];
    for (setting, value) in off {
        administer(world, Act::Set { setting, value: value.to_owned() });
    }
    let SimServer::New(server) = &world.server else { return };
    let blocked: Vec<_> = server.machine.union().blocked().collect();
    for hash in blocked {
        administer(world, Act::Unblock { content: hash.to_string() });
    }
    let SimServer::New(server) = &world.server else { return };
    let held = server.machine.union().held().map(|held| held.livery.clone());
    let liveries: Vec<_> = held.collect();
    if !liveries.is_empty() {
        administer(world, Act::Approve { liveries, from: None });
    }
}
