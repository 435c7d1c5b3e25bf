//! Steps of `cargo xtask test`, their results, and the table at the end.

use std::env;
use std::fmt::Write as _;
use std::ops::AddAssign;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use xtask::workspace::Workspace;

use crate::test::Settings;

/// A check of the project, with its own row in the table.
#[derive(Debug)]
pub(crate) struct Step {
    /// The name for `--only` and `--skip`.
    pub(crate) name: &'static str,
    /// The thing it proves, for the table.
    pub(crate) about: &'static str,
    /// Its place among the other steps.
    pub(crate) turn: Turn,
    /// Runs it. An error is a failed step, as is a `Tally` with failures.
    pub(crate) run: fn(&Workspace, Settings) -> Result<Outcome>,
}

/// The place of a step among the others.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Turn {
    /// It waits for the steps before it.
    Next,
    /// It runs beside the others: it has a target folder of its own.
    Beside,
}

/// The result of a step.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    /// It checked one thing and found no fault.
    Done,
    /// It did not run, for this reason.
    Skipped(String),
    /// It ran tests of its own.
    Tests(Tally),
    /// It ran tests of its own, and has something to add.
    Noted(Tally, String),
}

impl Outcome {
    /// Skips a step that lacks a tool. In CI that is an error: there the tools can be installed.
    pub(crate) fn missing(why: String) -> Result<Self> {
        if env::var("CI").is_ok_and(|value| value == "true") {
            bail!("{why}");
        }
        Ok(Self::Skipped(why))
    }
}

/// Counted tests.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Tally {
    pub(crate) const ONE_PASSED: Self = Self { passed: 1, failed: 0 };
    pub(crate) const ONE_FAILED: Self = Self { passed: 0, failed: 1 };

    /// Counts a check that has nothing to count, and prints its error.
    pub(crate) fn of(result: Result<()>) -> Self {
        match result {
            Ok(()) => Self::ONE_PASSED,
            Err(error) => {
                println!("error: {error:#}");
                Self::ONE_FAILED
            }
        }
    }

    /// Runs a named check, and prints its result and time. A check that counts no test has failed.
    pub(crate) fn of_check(name: &str, check: impl FnOnce() -> Result<Self>) -> Self {
        let start = Instant::now();
        let result = check();
        let seconds = start.elapsed().as_secs_f64();
        match result {
            Ok(tally) if tally.failed == 0 && tally.passed > 0 => {
                println!("check {name} ... ok ({seconds:.1} s)");
                tally
            }
            Ok(tally) => {
                println!("check {name} ... FAILED ({seconds:.1} s)");
                tally.with_exit(false)
            }
            Err(error) => {
                println!("check {name} ... FAILED ({seconds:.1} s)\n{error:#}");
                Self::ONE_FAILED
            }
        }
    }

    /// Reads `test result: ok. 12 passed; 0 failed; 1 ignored; ...`, the line that ends each test program of cargo.
    pub(crate) fn from_line(line: &str) -> Option<Self> {
        let (_, counts) = line.split_once("test result: ")?;
        let mut tally = Self::default();
        for (number, word) in
            counts.split([';', '.']).filter_map(|part| part.trim().split_once(' '))
        {
            let Ok(number) = number.parse::<u64>() else {
                continue;
            };
            match word {
                "passed" => tally.passed = number,
                "failed" => tally.failed = number,
                _ => {}
            }
        }
        Some(tally)
    }

    /// Adds up the suites of a report in JUnit's format, which nextest and pytest write:
    /// `<testsuite ... tests="30" failures="1" errors="0" skipped="2" ...>`.
    pub(crate) fn from_junit(report: &str) -> Option<Self> {
        let mut sum = Self::default();
        for suite in report.split("<testsuite ").skip(1) {
            let (suite, _) = suite.split_once('>')?;
            let number = |name: &str| -> Option<u64> {
                let (_, rest) = suite.split_once(&format!(" {name}=\""))?;
                rest.split_once('"')?.0.parse().ok()
            };
            let failed = number("failures")? + number("errors")?;
            let skipped = number("skipped").or(number("disabled")).unwrap_or_default();
            sum.passed += number("tests")?.checked_sub(failed + skipped)?;
            sum.failed += failed;
        }
        (sum != Self::default()).then_some(sum)
    }

    /// Counts a run that failed without a failed test as one: it did not compile, or it died before it could count.
    pub(crate) fn with_exit(mut self, success: bool) -> Self {
        if !success && self.failed == 0 {
            self.failed = 1;
        }
        self
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

/// A row of the table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    result: String,
    tally: Tally,
    seconds: f64,
    about: String,
}

impl Row {
    pub(crate) fn new(step: &Step, took: Duration, result: Result<Outcome>) -> Self {
        let (tally, about) = match &result {
            Ok(Outcome::Done) => (Tally::ONE_PASSED, step.about.to_owned()),
            Ok(Outcome::Tests(tally)) => (*tally, step.about.to_owned()),
            Ok(Outcome::Noted(tally, note)) => (*tally, format!("{}; {note}", step.about)),
            Ok(Outcome::Skipped(why)) => (Tally::default(), why.clone()),
            Err(error) => (Tally::ONE_FAILED, error.to_string()),
        };
        let result = match result {
            Ok(Outcome::Skipped(_)) => "skipped",
            _ if tally.failed > 0 => "FAILED",
            _ => "ok",
        };
        let about = about.lines().next().unwrap_or_default().to_owned();
        Self { result: result.to_owned(), tally, seconds: took.as_secs_f64(), about }
    }

    /// Returns the row as another process passes it on.
    pub(crate) fn to_json(&self) -> String {
        let Self { result, tally, seconds, about } = self;
        json!({
            "result": result,
            "passed": tally.passed,
            "failed": tally.failed,
            "seconds": seconds,
            "about": about,
        })
        .to_string()
    }

    /// Reads the row of another process.
    pub(crate) fn from_json(text: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(text)?;
        let parse = || {
            let text = |key: &str| value[key].as_str().map(str::to_owned);
            let tally =
                Tally { passed: value["passed"].as_u64()?, failed: value["failed"].as_u64()? };
            let seconds = value["seconds"].as_f64()?;
            Some(Self { result: text("result")?, tally, seconds, about: text("about")? })
        };
        parse().context("a row of the table lacks a cell")
    }
}

/// The table at the end.
#[derive(Debug, Default)]
pub(crate) struct Report {
    lines: String,
    total: Tally,
}

impl Report {
    pub(crate) fn add(&mut self, name: &str, row: &Row) {
        self.total += row.tally;
        let Row { result, tally: Tally { passed, failed }, seconds, about } = row;
        // Writing to a string cannot fail.
        let _ = writeln!(
            self.lines,
            "{name:10} {seconds:>7.1} {result:8} {passed:>6} {failed:>6}  {about}"
        );
    }

    pub(crate) fn failed(&self) -> bool {
        self.total.failed > 0
    }

    /// Returns the table, with the counts alone on the last line.
    pub(crate) fn text(&self, took: Duration) -> String {
        format!(
            "\n{:10} {:>7} {:8} {:>6} {:>6}\n{}{:10} {:>7.1}\n\n{} passed, {} failed\n",
            "step",
            "seconds",
            "result",
            "passed",
            "failed",
            self.lines,
            "all",
            took.as_secs_f64(),
            self.total.passed,
            self.total.failed
        )
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    const STEP: Step =
        Step { name: "one", about: "", turn: Turn::Next, run: |_, _| Ok(Outcome::Done) };

    fn report(results: impl IntoIterator<Item = Result<Outcome>>) -> Report {
        let mut report = Report::default();
        for result in results {
            report.add(STEP.name, &Row::new(&STEP, Duration::ZERO, result));
        }
        report
    }

    #[test]
    fn result_lines_are_counted() {
        let check = |line: &str, expected: Option<(u64, u64)>| {
            let expected = expected.map(|(passed, failed)| Tally { passed, failed });
            assert_eq!(Tally::from_line(line), expected);
        };
        check(
            "test result: ok. 12 passed; 0 failed; 3 ignored; 0 measured; 7 filtered out; finished in 0.00s",
            Some((12, 0)),
        );
        check(
            "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 12.34s\n",
            Some((1, 2)),
        );
        check(
            "test result: \u{1b}[32mok\u{1b}[m. 4 passed; 0 failed; 0 ignored; 0 measured",
            Some((4, 0)),
        );
        check("test passed_and_failed ... ok", None);
        check("12 passed; 0 failed", None);
    }

    #[test]
    fn reports_of_nextest_and_pytest_are_counted() {
        let pytest = r#"<?xml version="1.0"?><testsuites name="pytest tests"><testsuite name="pytest" errors="1" failures="2" skipped="3" tests="10" time="1.0"><testcase/>"#;
        assert_eq!(Tally::from_junit(pytest), Some(Tally { passed: 4, failed: 3 }));
        let nextest = r#"<testsuites name="nextest-run" tests="5" failures="1" errors="0">
            <testsuite name="a" tests="3" disabled="0" errors="0" failures="1"></testsuite>
            <testsuite name="b" tests="2" disabled="0" errors="0" failures="0"></testsuite></testsuites>"#;
        assert_eq!(Tally::from_junit(nextest), Some(Tally { passed: 4, failed: 1 }));
        assert_eq!(Tally::from_junit("<testsuites/>"), None);
    }

    #[test]
    fn skipped_steps_are_neither_passed_nor_failed() {
        let skipped = Outcome::Skipped("needs a moon".to_owned());
        let report = report([Ok(Outcome::Done), Ok(skipped)]);
        assert!(!report.failed());
        let text = report.text(Duration::ZERO);
        assert!(text.contains("needs a moon"));
        assert!(text.ends_with("\n1 passed, 0 failed\n"));
    }

    #[test]
    fn an_error_counts_as_one_failure_beside_the_tests() {
        let report = report([
            Err(anyhow!("did not compile")),
            Ok(Outcome::Tests(Tally { passed: 5, failed: 2 })),
        ]);
        assert!(report.failed());
        assert!(report.text(Duration::ZERO).ends_with("\n5 passed, 3 failed\n"));
    }

    #[test]
    fn a_row_comes_back_from_another_process() {
        let tally = Tally { passed: 5, failed: 2 };
        let outcome = Ok(Outcome::Noted(tally, "half of them".to_owned()));
        let row = Row::new(&STEP, Duration::from_millis(1500), outcome);
        assert_eq!(Row::from_json(&row.to_json()).unwrap(), row);
        assert!(Row::from_json("{}").is_err());
    }
}
