//! What a step of `cargo xtask test` is, how its tests are counted, and the table at the end.

use std::fmt::Write as _;
use std::ops::AddAssign;
use std::time::Duration;

use anyhow::Result;
use xtask::workspace::Workspace;

/// One thing that is checked.
#[derive(Debug)]
pub(crate) struct Step {
    /// For `--only` and `--skip`.
    pub(crate) name: &'static str,
    /// What it proves, for the table.
    pub(crate) about: &'static str,
    /// An error is a failed step, as is a `Tally` with failures.
    pub(crate) run: fn(&Workspace) -> Result<Outcome>,
}

/// How a step ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It checked one thing, and that is in order.
    Done,
    /// It did not run, for this reason.
    Skipped(String),
    /// It ran tests of its own.
    Tests(Tally),
}

/// Counted tests.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
}

impl Tally {
    pub(crate) const ONE_PASSED: Self = Self { passed: 1, failed: 0, ignored: 0 };
    pub(crate) const ONE_FAILED: Self = Self { passed: 0, failed: 1, ignored: 0 };

    /// Reads `test result: ok. 12 passed; 0 failed; 1 ignored; ...`, the line that ends each test program of cargo.
    pub(crate) fn from_line(line: &str) -> Option<Self> {
        let (_, counts) = line.split_once("test result: ")?;
        let mut tally = Self::default();
        for (number, what) in
            counts.split([';', '.']).filter_map(|part| part.trim().split_once(' '))
        {
            let Ok(number) = number.parse::<u64>() else {
                continue;
            };
            match what {
                "passed" => tally.passed = number,
                "failed" => tally.failed = number,
                "ignored" => tally.ignored = number,
                _ => {}
            }
        }
        Some(tally)
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
    }
}

/// What is known about the steps at the end.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: String,
    total: Tally,
}

impl Report {
    pub(crate) fn add(&mut self, step: &Step, took: Duration, result: Result<Outcome>) {
        let about = step.about.to_owned();
        let (word, tally, about) = match result {
            Ok(Outcome::Done) => ("ok", Tally::ONE_PASSED, about),
            Ok(Outcome::Tests(tally)) if tally.failed == 0 => ("ok", tally, about),
            Ok(Outcome::Tests(tally)) => ("FAILED", tally, about),
            Ok(Outcome::Skipped(why)) => ("skipped", Tally::default(), why),
            Err(error) => ("FAILED", Tally::ONE_FAILED, error.to_string()),
        };
        self.total += tally;
        let Tally { passed, failed, ignored } = tally;
        let about = about.lines().next().unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = writeln!(
            self.rows,
            "{:10} {:>7.1} {word:8} {passed:>6} {failed:>6} {ignored:>7}  {about}",
            step.name,
            took.as_secs_f64(),
        );
    }

    pub(crate) fn failed(&self) -> bool {
        self.total.failed > 0
    }

    /// The table, and the counts alone on the last line.
    pub(crate) fn text(&self) -> String {
        format!(
            "\n{:10} {:>7} {:8} {:>6} {:>6} {:>7}\n{}\n{} passed, {} failed\n",
            "step",
            "seconds",
            "result",
            "passed",
            "failed",
            "ignored",
            self.rows,
            self.total.passed,
            self.total.failed
        )
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Option<(u64, u64, u64)>) {
        let expected = expected.map(|(passed, failed, ignored)| Tally { passed, failed, ignored });
        assert_eq!(Tally::from_line(line), expected);
    }

    #[test]
    fn result_lines_are_counted() {
        check(
            "test result: ok. 12 passed; 0 failed; 3 ignored; 0 measured; 7 filtered out; finished in 0.00s",
            Some((12, 0, 3)),
        );
        check(
            "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 12.34s\n",
            Some((1, 2, 0)),
        );
        check(
            "test result: \u{1b}[32mok\u{1b}[m. 4 passed; 0 failed; 0 ignored; 0 measured",
            Some((4, 0, 0)),
        );
        check("test passed_and_failed ... ok", None);
        check("12 passed; 0 failed", None);
    }

    #[test]
    fn skipped_steps_are_neither_passed_nor_failed() {
        let step = Step { name: "one", about: "", run: |_| Ok(Outcome::Done) };
        let mut report = Report::default();
        report.add(&step, Duration::ZERO, Ok(Outcome::Done));
        report.add(&step, Duration::ZERO, Ok(Outcome::Skipped("needs a moon".to_owned())));
        assert!(!report.failed());
        assert!(report.text().contains("needs a moon"));
        assert!(report.text().ends_with("\n1 passed, 0 failed\n"));
    }

    #[test]
    fn an_error_counts_as_one_failure_beside_the_tests() {
        let step = Step { name: "one", about: "", run: |_| Ok(Outcome::Done) };
        let mut report = Report::default();
        report.add(&step, Duration::ZERO, Err(anyhow!("did not compile")));
        report.add(
            &step,
            Duration::ZERO,
            Ok(Outcome::Tests(Tally { passed: 5, failed: 2, ignored: 1 })),
        );
        assert!(report.failed());
        assert!(report.text().ends_with("\n5 passed, 3 failed\n"));
    }
}
