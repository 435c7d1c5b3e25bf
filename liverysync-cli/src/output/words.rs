//! Events in words. Every text that came from a peer or a folder is escaped here.

use liverysync::{Plan, Reason, RelPath, ServerEvent as Event, Skipped, escape, escape_limited};

use super::gather::Gather;
use crate::units;

/// Longest name of a driver that is shown, in characters.
const NAME_CHARS_MAX: usize = 64;

/// A driver's name, fit for display.
pub(crate) fn name(name: &str) -> String {
    escape_limited(name, NAME_CHARS_MAX).into_owned()
}

/// A path, fit for display.
pub(crate) fn path(path: &RelPath) -> String {
    escape(path.as_str()).into_owned()
}

/// What happened at the server. Some of it is only gathered: it comes with the next line.
pub(crate) fn server(event: &Event, gather: &mut Gather) -> Option<String> {
    let line = match event {
        Event::Joined { name: who, address, protocol, .. } => {
            format!("{} joined from {} ({protocol})", name(who), escape(address))
        }
        Event::Left { name: who, reason, .. } => format!("{} left: {}", name(who), escape(reason)),
        Event::Manifest { name: who, files, bytes, left_out, .. } => {
            let head = format!("{}: left out", name(who));
            left_out.iter().for_each(|item| add_skipped(&head, item, gather));
            format!("{} has {}", name(who), units::files(*files as u64, *bytes))
        }
        Event::Conflict { name: who, path: own, conflict_path } => format!(
            "conflict: {}'s {} is not what others have under this name; it joins as {}",
            name(who),
            path(own),
            path(conflict_path)
        ),
        Event::Refused { name: who, path: own, reason } => {
            format!("{}'s {} cannot join: {}", name(who), path(own), escape(&reason.to_string()))
        }
        Event::SessionBegan { source, target, files, bytes, .. } => {
            let what = units::files(*files as u64, *bytes);
            format!("{}: {what}", way(source.as_deref(), target.as_deref()))
        }
        Event::SessionEnded { source, target, installed, failed, .. } => {
            let done = units::count(*installed as u64, "file");
            let not = match failed {
                0 => String::new(),
                _ => format!(", {failed} not"),
            };
            format!("{}: {done} arrived{not}", way(source.as_deref(), target.as_deref()))
        }
        Event::DatabaseFault { reason } => {
            format!("trouble with what the league remembers: {}", escape(reason))
        }
        Event::StoreFault { content, reason } => {
            format!("the store has not got {}: {}", content.short(), escape(reason))
        }
        Event::SourceFault { name: who, path, fault } => {
            format!("{} did not send {} as it should: {fault}", name(who), escape(path))
        }
        Event::SourceSilent { name: who, files } => {
            let owed = units::count(*files as u64, "file");
            format!("{} fell silent; it still owed {owed}", name(who))
        }
        Event::TargetFault { name: who, path: file, message, for_good } => {
            let verb = if *for_good { "refuses" } else { "did not take" };
            format!("{} {verb} {}: {}", name(who), path(file), escape(message))
        }
        Event::Withheld { name: who, path: file, reason } => {
            let (head, reason) = (format!("{} does not get", name(who)), reason.to_string());
            gather.add(&head, path(file), reason.clone(), reason);
            return None;
        }
        Event::InSync { clients, files, .. } => format!(
            "in sync: {} with {}",
            units::count(*clients as u64, "driver"),
            units::count(*files as u64, "file")
        ),
        _ => return None,
    };
    Some(line)
}

/// Gathers a file that nobody is to have any more and that lies in the backup folder now.
pub(crate) fn add_retired(file: &RelPath, backup: &str, gather: &mut Gather) {
    let own = format!("the league has it there no more; it lies in {}", escape(backup));
    let common = "the league has them there no more; they lie in .backup".to_owned();
    gather.add("put away", path(file), common, own);
}

/// Gathers something that does not travel.
pub(crate) fn add_skipped(head: &str, item: &Skipped, gather: &mut Gather) {
    let own = escape(&item.reason.to_string()).into_owned();
    let common = match &item.reason {
        Reason::Name(_) => "names that cannot be shared".to_owned(),
        Reason::Cache(_) => "the game's own cache, made anew on every PC".to_owned(),
        Reason::Collision(_) => "names that Windows cannot tell from others".to_owned(),
        Reason::Unreadable(_) => "cannot be read".to_owned(),
        _ => own.clone(),
    };
    gather.add(head, escape(&item.path).into_owned(), common, own);
}

/// What a dry run found out.
pub(crate) fn plan(plan: &Plan) -> String {
    let mut text = String::new();
    let mut section = |title: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            text += &format!("{title}:\n");
            lines.iter().for_each(|line| text += &format!("  {line}\n"));
        }
    };
    let sized = |files: &[(RelPath, u64)]| -> Vec<String> {
        let lines = files.iter();
        lines.map(|(file, bytes)| format!("{} ({})", path(file), units::bytes(*bytes))).collect()
    };
    let total = |files: &[(RelPath, u64)]| {
        units::files(files.len() as u64, files.iter().map(|(_, bytes)| bytes).sum())
    };
    section("this PC would get", sized(&plan.receive));
    let kept = plan.conflicts.iter();
    section(
        "this PC's own file would live on under another name",
        kept.map(|(own, other)| format!("{} as {}", path(own), path(other))).collect(),
    );
    section("others would get from this PC", sized(&plan.send));
    section(
        "would be put into .backup, because nobody is to have it any more",
        sized(&plan.retire),
    );
    section("nobody could send at present", sized(&plan.unavailable));
    section("not on the league's allow list", sized(&plan.undistributed));
    let refused = plan.refuse.iter();
    section(
        "this PC would refuse",
        refused.map(|(file, why)| format!("{}: {}", escape(file), escape(why))).collect(),
    );
    text += &if plan.is_in_sync() {
        "dry run: nothing to do; nothing was changed".to_owned()
    } else {
        format!(
            "dry run: would receive {} and send {}; nothing was changed",
            total(&plan.receive),
            total(&plan.send)
        )
    };
    text
}

/// Which way the files of a session go: from a client, or to one.
fn way(source: Option<&str>, target: Option<&str>) -> String {
    match (source, target) {
        (Some(source), None) => format!("from {}", name(source)),
        (None, Some(target)) => format!("to {}", name(target)),
        (source, target) => {
            format!("{} -> {}", name(source.unwrap_or_default()), name(target.unwrap_or_default()))
        }
    }
}

#[cfg(test)]
mod tests {
    use liverysync::{Extensions, PeerId};

    use super::*;

    #[test]
    fn a_name_cannot_act_on_the_terminal() {
        let event = Event::Left {
            peer: PeerId(1),
            name: "A\u{1b}[2J\nB".to_owned(),
            reason: "gone\u{202e}".to_owned(),
        };
        let line = server(&event, &mut Gather::default());
        assert_eq!(line.as_deref(), Some("A\\u{1b}[2J\\u{a}B left: gone\\u{202e}"));
    }

    #[test]
    fn a_retired_livery_is_said_in_a_line() {
        let mut gather = Gather::default();
        let rel = |text: &str| RelPath::parse(text, &Extensions::default()).unwrap();
        add_retired(
            &rel("A/decals.png"),
            ".backup/20250301_201500/A/decals.png\u{202e}",
            &mut gather,
        );
        let expected = "put away: A/decals.png: the league has it there no more; it lies in \
            .backup/20250301_201500/A/decals.png\\u{202e}";
        assert_eq!(gather.take(), [expected]);
        for number in 0..4 {
            add_retired(&rel(&format!("A/{number}.png")), ".backup", &mut gather);
        }
        let expected = "put away: 4 files: the league has them there no more; they lie in .backup: \
            A/0.png, A/1.png, A/2.png, ...";
        assert_eq!(gather.take(), [expected]);
    }

    #[test]
    fn a_plan_reads_like_one() {
        let rel = |text| RelPath::parse(text, &Extensions::default()).unwrap();
        let found = Plan {
            receive: vec![(rel("B/decals.png"), 2000)],
            conflicts: vec![(rel("B/decals.png"), rel("B/decals__CONFLICT__00000000.png"))],
            send: vec![(rel("A/decals.png"), 1), (rel("B/decals.png"), 2)],
            refuse: vec![("x\n.exe".to_owned(), "no".to_owned())],
            retire: vec![(rel("E/decals.png"), 5)],
            unavailable: vec![(rel("C/decals.png"), 3)],
            undistributed: vec![(rel("D/decals.png"), 4)],
            ..Plan::default()
        };
        let expected = "\
this PC would get:
  B/decals.png (2.0 kB)
this PC's own file would live on under another name:
  B/decals.png as B/decals__CONFLICT__00000000.png
others would get from this PC:
  A/decals.png (1 byte)
  B/decals.png (2 bytes)
would be put into .backup, because nobody is to have it any more:
  E/decals.png (5 bytes)
nobody could send at present:
  C/decals.png (3 bytes)
not on the league's allow list:
  D/decals.png (4 bytes)
this PC would refuse:
  x\\u{a}.exe: no
dry run: would receive 1 file, 2.0 kB and send 2 files, 3 bytes; nothing was changed";
        assert_eq!(plan(&found), expected);
        assert_eq!(plan(&Plan::default()), "dry run: nothing to do; nothing was changed");
    }
}
