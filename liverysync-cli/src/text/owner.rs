//! `liverysync withdraw`, `rename` and `replace`: a driver's own liveries.

use liverysync::{Act, ActReport, escape};

use super::words::{block, count};

/// Reports what a driver has changed, or would change.
pub(crate) fn acted(act: &Act, report: &ActReport, dry_run: bool) -> String {
    let what = change(act, report, dry_run);
    let line = match dry_run {
        true => format!("{what} Every PC would keep a copy in .backup."),
        false => format!(
            "{what} Connected PCs update at once, the others when they connect. Each keeps a copy in .backup."
        ),
    };
    let hint = "hint: to bring them back, ask the league's admin: liverysync league restore";
    let hint = (matches!(act, Act::Retire { .. }) && !dry_run).then_some(hint);
    block(&[line].into_iter().chain(hint.map(str::to_owned)).collect::<Vec<_>>())
}

fn change(act: &Act, report: &ActReport, dry_run: bool) -> String {
    let verb = |done: &str, would: &str| {
        if dry_run { format!("Would {would}") } else { done.to_owned() }
    };
    let retired = count(report.retired as u64, "file");
    match act {
        Act::Retire { liveries, .. } => {
            let names: Vec<_> = liveries.iter().map(|one| escape(one)).collect();
            format!("{} {} ({retired}).", verb("Withdrew", "withdraw"), names.join(", "))
        }
        Act::Rename { livery, new } => {
            let verb = verb("Renamed", "rename");
            format!("{verb} {} to {} ({retired}).", escape(livery), escape(new))
        }
        Act::Replace { old, new } => {
            let verb = verb("Replaced", "replace");
            format!("{verb} {} ({retired}) with {}.", escape(old), escape(new))
        }
        // Only an admin can do the others.
        _ => verb("Done.", "change the league."),
    }
}
