//! The question which liveries to share, for people who run a client in a terminal.

use std::{
    io::{self, BufRead, IsTerminal as _},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use liverysync::{LiveryGlobs, LiveryList};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::{
    cli::{client::ClientArgs, values::parse_shared},
    output,
};

/// A line that is there so soon after the question was typed before it: nobody reads and answers that fast. An Enter pressed
/// for something else must not share everything.
const READ_TIME: Duration = Duration::from_millis(500);

/// Asks a person which liveries to share, and notes the answer for the client, which reads it within a second.
pub(super) struct Question {
    state: PathBuf,
    liveries: PathBuf,
    server: (String, u16),
    /// Set while nobody has been asked: from then on a thread waits for lines.
    faults_out: Option<UnboundedSender<String>>,
    faults: UnboundedReceiver<String>,
}

impl Question {
    /// Makes one if somebody can answer it.
    pub(super) fn of(args: &ClientArgs, state: &Path, liveries: &Path) -> Option<Self> {
        let ends_by_itself = args.once || args.dry_run;
        let can_answer = io::stdin().is_terminal() && output::is_watched();
        if ends_by_itself || args.output.json || !can_answer {
            return None;
        }
        let server = (args.address.host.clone(), args.address.port);
        let (faults_out, faults) = unbounded_channel();
        let (state, liveries) = (state.to_owned(), liveries.to_owned());
        Some(Self { state, liveries, server, faults_out: Some(faults_out), faults })
    }

    /// Waits for an answer from now on.
    pub(super) fn ask(&mut self) {
        if let Some(faults) = self.faults_out.take() {
            // Only now: the client has taken over what an earlier place of the folder has.
            let server = Some((self.server.0.as_str(), self.server.1));
            let list = LiveryList::shared(&self.state, &self.liveries, server);
            let Ok(Some(list)) = list else { return };
            // It ends with the program: nothing can interrupt somebody who reads from a terminal.
            thread::spawn(move || wait_for_answer(&list, &faults));
        }
    }

    /// Waits for an answer that cannot be used. Safe to drop and call again.
    pub(super) async fn next_fault(&mut self) -> Option<String> {
        match self.faults.recv().await {
            Some(fault) => Some(fault),
            None => std::future::pending().await,
        }
    }
}

fn wait_for_answer(list: &LiveryList, faults: &UnboundedSender<String>) {
    let shown = Instant::now();
    while let Some(line) = next_answer(&mut io::stdin().lock(), || shown.elapsed()) {
        // They may have chosen by `liverysync share` meanwhile, and somebody just presses Enter.
        if !matches!(list.chosen(), Ok(None)) {
            return;
        }
        let answer = match line.trim() {
            "" => Ok(LiveryGlobs::all()),
            answer => parse_shared(answer),
        };
        let kept = answer.and_then(|globs| list.replace(&globs).map_err(|error| error.to_string()));
        match kept {
            Ok(()) => return,
            // Nobody reads it if the program is about to end.
            Err(fault) => drop(faults.send(fault)),
        }
    }
}

/// Returns the next line that was typed after the question was shown; `None` at the end of the input. `age` is the time since
/// then.
fn next_answer(input: &mut impl BufRead, age: impl Fn() -> Duration) -> Option<String> {
    let mut line = String::new();
    while input.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
        if age() >= READ_TIME {
            return Some(line);
        }
        line.clear();
    }
    None
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_line_typed_before_the_question_is_no_answer() {
        let lines_read = Cell::new(0);
        let age = || {
            lines_read.set(lines_read.get() + 1);
            if lines_read.get() <= 2 { Duration::from_millis(1) } else { Duration::from_secs(3) }
        };
        let mut typed: &[u8] = b"\n\nS3 *\n\n";
        assert_eq!(next_answer(&mut typed, age).as_deref(), Some("S3 *\n"));
        assert_eq!(next_answer(&mut typed, age).as_deref(), Some("\n"), "Enter answers, too");
        assert_eq!(next_answer(&mut typed, age), None);
    }
}
