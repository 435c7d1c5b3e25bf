//! The results of the runs: medians, ratios and goals, as text, Markdown and JSON.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use crate::measure::{Sample, Usage};

/// The program that has goals.
pub(crate) const OURS: &str = "liverysync";

/// The text of an empty cell.
const NOTHING: &str = "-";

/// The runs of one program in one case.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) case: String,
    pub(crate) program: &'static str,
    /// The runs, or the reason why there are none.
    pub(crate) runs: Result<Vec<Sample>, String>,
    /// The case whose rsync row is the base of the ratio: mostly its own.
    pub(crate) over: String,
}

/// The program that is the base of the ratios.
pub(crate) const BASE: &str = "rsync";

/// The figure of a row that a goal limits.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Figure {
    Ratio,
    Seconds,
    /// In MB, the largest of all runs.
    ServerPeak,
    ClientPeak,
}

/// A figure that liverysync has to reach.
#[derive(Debug)]
pub(crate) struct Goal {
    pub(crate) case: &'static str,
    pub(crate) figure: Figure,
    pub(crate) at_most: f64,
}

const fn goal(case: &'static str, figure: Figure, at_most: f64) -> Goal {
    Goal { case, figure, at_most }
}

pub(crate) const GOALS: &[Goal] = &[
    goal("S, one target", Figure::Ratio, 1.6),
    goal("S, four targets", Figure::Ratio, 1.6),
    goal("M, one target", Figure::Ratio, 1.2),
    goal("S, nothing changed", Figure::Ratio, 0.25),
    goal("M, nothing changed", Figure::Ratio, 0.25),
    goal("a livery dropped into a folder", Figure::Seconds, 0.5),
    goal("S, four targets", Figure::ServerPeak, 32.0),
    goal("S, four targets", Figure::ClientPeak, 20.0),
    goal("slow uplink, four targets", Figure::Ratio, 1.06),
    goal("slow uplink, 16 targets", Figure::Ratio, 1.15),
];

/// All results and their conditions.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) rows: Vec<Row>,
    /// The limits of the machine.
    pub(crate) limits: Vec<(String, String)>,
    /// The conditions of the measurement.
    pub(crate) conditions: Vec<(String, String)>,
}

impl Report {
    /// Returns the tables for a terminal.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for grid in [self.runs(), self.goals(), self.limits(), self.conditions()] {
            text.push('\n');
            text.push_str(&grid.text());
        }
        text
    }

    /// Returns the tables for a document.
    pub(crate) fn markdown(&self) -> String {
        let grids = [self.runs(), self.goals(), self.limits(), self.conditions()];
        grids.map(|grid| grid.markdown()).join("\n")
    }

    /// Returns the results for programs, with each single run.
    pub(crate) fn json(&self) -> Value {
        let pairs = |list: &[(String, String)]| {
            list.iter()
                .map(|(key, value)| (key.clone(), json!(value)))
                .collect::<serde_json::Map<_, _>>()
        };
        json!({
            "rows": self.rows.iter().map(|row| json!({
                "case": row.case,
                "program": row.program,
                "absent": row.runs.as_ref().err(),
                "ratio": self.ratio(row),
                "runs": row.samples().iter().map(sample_json).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
            "goals": GOALS.iter().map(|goal| json!({
                "case": goal.case,
                "figure": goal.figure.name(),
                "at_most": goal.at_most,
                "found": self.found(goal),
            })).collect::<Vec<_>>(),
            "limits": pairs(&self.limits),
            "conditions": pairs(&self.conditions),
        })
    }

    fn runs(&self) -> Grid {
        let mut grid = Grid::new(&[
            "case",
            "program",
            "seconds",
            "from - to",
            "ratio",
            "CPU s: source / server / targets",
            "peak MB: source / server / target",
            "MB sent up",
        ]);
        for row in &self.rows {
            grid.rows.push(match &row.runs {
                Ok(_) => self.cells(row),
                Err(why) => vec![row.case.clone(), row.program.to_owned(), why.clone()],
            });
        }
        grid
    }

    fn cells(&self, row: &Row) -> Vec<String> {
        let walls: Vec<_> = row.samples().iter().map(|sample| sample.wall.as_secs_f64()).collect();
        let (from, to) = spread(&walls);
        let uploads: Vec<_> =
            row.samples().iter().filter_map(|run| run.uploaded).map(megabytes).collect();
        vec![
            row.case.clone(),
            row.program.to_owned(),
            or_nothing(median(&walls), |wall| format!("{wall:.3}")),
            format!("{from:.3} - {to:.3}"),
            or_nothing(self.ratio(row), |ratio| format!("{ratio:.2}")),
            row.by_role(|usages| {
                let cpu: Vec<_> = usages.iter().map(|usage| usage.cpu.as_secs_f64()).collect();
                or_nothing(median(&cpu), |cpu| format!("{cpu:.2}"))
            }),
            row.by_role(|usages| or_nothing(largest_peak(usages), |peak| format!("{peak:.0}"))),
            or_nothing(median(&uploads), |bytes| format!("{bytes:.1}")),
        ]
    }

    fn goals(&self) -> Grid {
        let mut grid = Grid::new(&["goal", "figure", "at most", "found", ""]);
        for goal in GOALS {
            let Some(found) = self.found(goal) else { continue };
            grid.rows.push(vec![
                goal.case.to_owned(),
                goal.figure.name().to_owned(),
                format!("{}", goal.at_most),
                goal.figure.show(found),
                if found <= goal.at_most { "ok" } else { "over" }.to_owned(),
            ]);
        }
        grid
    }

    fn limits(&self) -> Grid {
        Grid::of_pairs(["physical limit", "measured"], &self.limits)
    }

    fn conditions(&self) -> Grid {
        Grid::of_pairs(["condition", ""], &self.conditions)
    }

    /// Returns the figure that liverysync reached, if it was measured.
    fn found(&self, goal: &Goal) -> Option<f64> {
        let row = self.row(goal.case, OURS)?;
        match goal.figure {
            Figure::Ratio => self.ratio(row),
            Figure::Seconds => row.seconds(),
            Figure::ServerPeak => largest_peak(&row.usages(|run| run.server)),
            Figure::ClientPeak => {
                let mut clients = row.usages(|run| run.source);
                clients.extend(row.usages(|run| run.targets));
                largest_peak(&clients)
            }
        }
    }

    fn row(&self, case: &str, program: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.case == case && row.program == program)
    }

    /// Returns the median of a row over that of rsync.
    fn ratio(&self, row: &Row) -> Option<f64> {
        let base = self.row(&row.over, BASE)?.seconds()?;
        Some(row.seconds()? / base)
    }
}

impl Row {
    fn samples(&self) -> &[Sample] {
        self.runs.as_deref().unwrap_or_default()
    }

    fn seconds(&self) -> Option<f64> {
        let walls: Vec<_> = self.samples().iter().map(|run| run.wall.as_secs_f64()).collect();
        median(&walls)
    }

    fn usages(&self, role: impl Fn(&Sample) -> Option<Usage>) -> Vec<Usage> {
        self.samples().iter().filter_map(role).collect()
    }

    fn by_role(&self, show: impl Fn(&[Usage]) -> String) -> String {
        let roles = [
            self.usages(|run| run.source),
            self.usages(|run| run.server),
            self.usages(|run| run.targets),
        ];
        if roles.iter().all(Vec::is_empty) {
            return NOTHING.to_owned();
        }
        roles.map(|usages| show(&usages)).join(" / ")
    }
}

impl Figure {
    fn name(self) -> &'static str {
        match self {
            Self::Ratio => "time over rsync's",
            Self::Seconds => "seconds",
            Self::ServerPeak => "peak memory of the server, MB",
            Self::ClientPeak => "peak memory of a client, MB",
        }
    }

    fn show(self, found: f64) -> String {
        match self {
            Self::Ratio | Self::Seconds => format!("{found:.2}"),
            Self::ServerPeak | Self::ClientPeak => format!("{found:.0}"),
        }
    }
}

fn sample_json(sample: &Sample) -> Value {
    let role = |usage: Option<Usage>| {
        usage.map(|usage| json!({"cpu": usage.cpu.as_secs_f64(), "peak": usage.peak}))
    };
    json!({
        "seconds": sample.wall.as_secs_f64(),
        "source": role(sample.source),
        "server": role(sample.server),
        "targets": role(sample.targets),
        "uploaded": sample.uploaded,
    })
}

/// Returns the middle value, or the mean of the two middle values.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    if sorted.len() % 2 == 1 { Some(upper) } else { Some((sorted.get(middle - 1)? + upper) / 2.0) }
}

/// Returns the median of times.
pub(crate) fn median_time(times: &[Duration]) -> Option<Duration> {
    let seconds: Vec<_> = times.iter().map(Duration::as_secs_f64).collect();
    median(&seconds).map(Duration::from_secs_f64)
}

/// Returns the least and the greatest value.
fn spread(values: &[f64]) -> (f64, f64) {
    let least = values.iter().copied().min_by(f64::total_cmp).unwrap_or_default();
    (least, values.iter().copied().max_by(f64::total_cmp).unwrap_or_default())
}

fn largest_peak(usages: &[Usage]) -> Option<f64> {
    usages.iter().map(|usage| usage.peak).max().map(megabytes)
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn or_nothing(value: Option<f64>, show: impl Fn(f64) -> String) -> String {
    value.map_or_else(|| NOTHING.to_owned(), show)
}

/// A table. A row may be shorter than the header.
#[derive(Debug)]
struct Grid {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Grid {
    fn new(header: &[&str]) -> Self {
        Self { header: header.iter().map(|&cell| cell.to_owned()).collect(), rows: Vec::new() }
    }

    fn of_pairs(header: [&str; 2], pairs: &[(String, String)]) -> Self {
        let mut grid = Self::new(&header);
        grid.rows = pairs.iter().map(|(key, value)| vec![key.clone(), value.clone()]).collect();
        grid
    }

    fn text(&self) -> String {
        let whole = |row: &&Vec<String>| row.len() == self.header.len();
        let widths: Vec<usize> = (0..self.header.len())
            .map(|column| {
                let cells = self.rows.iter().filter(whole).map(|row| row[column].chars().count());
                cells.chain([self.header[column].chars().count()]).max().unwrap_or_default()
            })
            .collect();
        let mut text = String::new();
        for row in [&self.header].into_iter().chain(&self.rows) {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                let _ = write!(line, "{cell:<width$}  ");
            }
            let _ = writeln!(text, "{}", line.trim_end());
        }
        text
    }

    fn markdown(&self) -> String {
        let mut text =
            format!("| {} |\n|{}\n", self.header.join(" | "), "---|".repeat(self.header.len()));
        for row in &self.rows {
            let mut cells = row.clone();
            cells.resize(self.header.len(), String::new());
            let _ = writeln!(text, "| {} |", cells.join(" | "));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(walls: &[u64]) -> Result<Vec<Sample>, String> {
        let usage = |cpu, peak| Some(Usage { cpu: Duration::from_millis(cpu), peak });
        let run = |wall: &u64| Sample {
            source: usage(10, 3_000_000),
            server: usage(20, 7_000_000),
            targets: usage(30, 5_000_000 + wall),
            uploaded: Some(25_600_000),
            ..Sample::of(Duration::from_millis(*wall))
        };
        Ok(walls.iter().map(run).collect())
    }

    fn row(case: &str, program: &'static str, runs: Result<Vec<Sample>, String>) -> Row {
        Row { case: case.to_owned(), program, runs, over: case.to_owned() }
    }

    fn report() -> Report {
        Report {
            rows: vec![
                row("S, four targets", BASE, runs(&[500, 400, 900])),
                row("S, four targets", OURS, runs(&[1_000, 2_000, 700])),
                row("S, four targets", "syncthing", Err("not present".to_owned())),
            ],
            limits: vec![("fsync".to_owned(), "1 ms".to_owned())],
            conditions: vec![("cores".to_owned(), "2".to_owned())],
        }
    }

    #[test]
    fn the_median_is_the_middle_or_between_the_two_middle_ones() {
        let check = |values: &[f64], expected| assert_eq!(median(values), expected, "{values:?}");
        check(&[], None);
        check(&[3.0], Some(3.0));
        check(&[9.0, 1.0, 2.0], Some(2.0));
        check(&[4.0, 1.0, 9.0, 2.0], Some(3.0));
    }

    #[test]
    fn a_ratio_is_that_of_the_medians() {
        let report = report();
        assert_eq!(report.ratio(&report.rows[1]), Some(2.0));
        assert_eq!(report.ratio(&report.rows[2]), None);
    }

    #[test]
    fn without_rsync_there_is_no_ratio_and_no_verdict_on_it() {
        let mut report = report();
        report.rows[0].runs = Err("not present".to_owned());
        assert_eq!(report.ratio(&report.rows[1]), None);
        assert!(!report.text().contains("time over rsync's"));
    }

    #[test]
    fn goals_are_met_or_not() {
        let text = report().text();
        let line = |start: &str| {
            text.lines().find(|line| line.contains(start)).unwrap().split_whitespace().last()
        };
        assert_eq!(line("time over rsync's"), Some("over"));
        assert_eq!(line("peak memory of the server"), Some("ok"));
        assert!(!text.contains("slow uplink"), "{text}");
    }

    #[test]
    fn text_has_columns_and_the_reason_where_there_are_no_runs() {
        let text = report().text();
        assert!(
            text.contains("liverysync  1.000    0.700 - 2.000  2.00   0.01 / 0.02 / 0.03"),
            "{text}"
        );
        assert!(text.contains("syncthing   not present\n"), "{text}");
    }

    #[test]
    fn markdown_has_the_same_cells_and_whole_rows() {
        let text = report().markdown();
        assert!(
            text.contains("| S, four targets | rsync | 0.500 | 0.400 - 0.900 | 1.00 |"),
            "{text}"
        );
        assert!(text.contains("| syncthing | not present |  |  |  |  |  |\n"), "{text}");
    }

    #[test]
    fn json_has_each_run_and_each_goal() {
        let json = report().json();
        assert_eq!(json["rows"][1]["runs"][2]["seconds"], 0.7);
        assert_eq!(json["rows"][2]["absent"], "not present");
        assert_eq!(json["goals"].as_array().unwrap().len(), GOALS.len());
        assert_eq!(json["conditions"]["cores"], "2");
    }
}
