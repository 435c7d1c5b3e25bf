//! The runs: the programs, their sets and their rows in the table.

use crate::data::{L, M, S, Spec, UPLINK};
use crate::measure::Sample;
use crate::site::Round;
use crate::table::{BASE, OURS, Row};

/// A measured program.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Program {
    Rsync,
    Ours,
    Syncthing,
}

impl Program {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rsync => BASE,
            Self::Ours => OURS,
            Self::Syncthing => "syncthing",
        }
    }
}

/// Runs on one set, which take turns.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) set: &'static Spec,
    pub(crate) runs: Vec<Run>,
}

/// The work of one program in each round.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) program: Program,
    pub(crate) case: String,
    pub(crate) targets: usize,
    /// The case of a second run with nothing changed, if there is one.
    pub(crate) again: Option<String>,
    /// The case of a livery that is dropped into the source's folder, if there is one.
    pub(crate) dropped: Option<String>,
    /// The case whose rsync row is the base of the ratio.
    over: String,
}

impl Run {
    fn new(program: Program, case: &str, targets: usize) -> Self {
        let case = case.to_owned();
        Self { program, over: case.clone(), case, targets, again: None, dropped: None }
    }

    /// Returns a text for the name of a folder.
    pub(crate) fn label(&self) -> String {
        format!("{}-{}", self.program.name(), self.targets)
    }
}

const DROPPED: &str = "a livery dropped into a folder";

/// Returns the groups on loopback. Sets with large files come first, because their folders can be removed in between.
pub(crate) fn loopback(sets: &[&'static Spec]) -> Vec<Group> {
    let mut groups = Vec::new();
    for spec in [&S, &L, &M] {
        if !sets.contains(&spec) {
            continue;
        }
        groups.push(Group { set: spec, runs: in_turn(spec, "one target", 1) });
        if *spec == S {
            groups.push(Group { set: spec, runs: in_turn(spec, "four targets", 4) });
        }
    }
    groups
}

fn in_turn(spec: &Spec, targets_in_words: &str, targets: usize) -> Vec<Run> {
    let case = format!("{}, {targets_in_words}", spec.name);
    let run = |program| {
        let mut run = Run::new(program, &case, targets);
        if targets == 1 && *spec != L && program != Program::Syncthing {
            run.again = Some(format!("{}, nothing changed", spec.name));
        }
        if targets == 1 && *spec == S && program == Program::Ours {
            run.dropped = Some(DROPPED.to_owned());
        }
        run
    };
    [Program::Rsync, Program::Ours, Program::Syncthing].map(run).into()
}

/// Returns the group on the slow uplink. The base of all its ratios is one plain pull, the least that the link allows.
pub(crate) fn uplink() -> Group {
    const ONE: &str = "slow uplink, one target";
    const FOUR: &str = "slow uplink, four targets";
    const SIXTEEN: &str = "slow uplink, 16 targets";
    let mut runs = vec![
        Run::new(Program::Rsync, ONE, 1),
        Run::new(Program::Rsync, FOUR, 4),
        Run::new(Program::Ours, FOUR, 4),
        Run::new(Program::Ours, SIXTEEN, 16),
    ];
    for run in &mut runs {
        run.over = ONE.to_owned();
    }
    Group { set: &UPLINK, runs }
}

impl Group {
    /// Returns a row for each run, then the rows with nothing changed, then those with a dropped livery.
    pub(crate) fn rows(
        &self,
        results: &[Vec<Round>],
        present: impl Fn(Program) -> Result<(), String>,
    ) -> Vec<Row> {
        let mut rows = Vec::new();
        let mut add = |run: &Run, case: &str, over: &str, samples: Vec<Sample>| {
            let runs = present(run.program).map(|()| samples);
            rows.push(Row {
                case: case.to_owned(),
                program: run.program.name(),
                runs,
                over: over.to_owned(),
            });
        };
        let all = || self.runs.iter().zip(results);
        for (run, rounds) in all() {
            add(run, &run.case, &run.over, rounds.iter().map(|round| round.copy.clone()).collect());
        }
        for (run, rounds) in all() {
            if let Some(case) = &run.again {
                add(
                    run,
                    case,
                    case,
                    rounds.iter().filter_map(|round| round.again.clone()).collect(),
                );
            }
        }
        for (run, rounds) in all() {
            if let Some(case) = &run.dropped {
                add(
                    run,
                    case,
                    case,
                    rounds.iter().filter_map(|round| round.dropped.clone()).collect(),
                );
            }
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::*;
    use crate::table::GOALS;

    fn groups() -> Vec<Group> {
        let mut groups = loopback(&[&S, &M, &L]);
        groups.push(uplink());
        groups
    }

    fn rows(group: &Group) -> Vec<Row> {
        let sample = || Sample::of(Duration::from_secs(1));
        let round = Round { copy: sample(), again: Some(sample()), dropped: Some(sample()) };
        let present = |program| match program {
            Program::Syncthing => Err("not present".to_owned()),
            _ => Ok(()),
        };
        group.rows(&vec![vec![round]; group.runs.len()], present)
    }

    #[test]
    fn each_goal_is_about_a_case_that_is_run() {
        let rows: Vec<_> = groups().iter().flat_map(rows).collect();
        let ours: BTreeSet<_> =
            rows.iter().filter(|row| row.program == OURS).map(|row| row.case.as_str()).collect();
        for goal in GOALS {
            assert!(ours.contains(goal.case), "no run has the case {:?}", goal.case);
        }
    }

    #[test]
    fn each_ratio_has_a_base_unless_a_livery_is_dropped() {
        let rows: Vec<_> = groups().iter().flat_map(rows).collect();
        for row in rows.iter().filter(|row| row.case != DROPPED) {
            let base = rows.iter().find(|base| base.case == row.over && base.program == BASE);
            assert!(base.is_some(), "{} has no base", row.case);
        }
    }

    #[test]
    fn folders_of_one_group_have_different_names() {
        for group in groups() {
            let labels: BTreeSet<_> = group.runs.iter().map(Run::label).collect();
            assert_eq!(labels.len(), group.runs.len());
        }
    }

    #[test]
    fn a_program_that_is_not_there_has_rows_that_say_so() {
        let rows = rows(&groups()[0]);
        let absent: Vec<_> = rows.iter().filter(|row| row.runs.is_err()).collect();
        assert_eq!(absent.len(), 1);
        assert!(absent.iter().all(|row| row.program == "syncthing"));
    }
}
