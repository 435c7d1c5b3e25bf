//! `liverysync demo`: a league on one PC, over real sockets, with liveries of its own making.

mod check;
mod paint;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use liverysync::{Client, ClientEvent as Event, Server, ServerEvent, escape};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::{Instant, timeout_at},
};

use self::{
    check::Holdings,
    paint::{Livery, Made, hours_ago},
};
use super::Interrupts;
use crate::{
    cli::DemoArgs,
    exit::{Exit, Failure},
    output::{self, words},
    units,
};

/// The demo is over by then, one way or the other.
const TIME_MAX: Duration = Duration::from_secs(14);

const AOI: &str = "Aoi";
const BRUNO: &str = "Bruno";
const CHLOE: &str = "Chloé";

/// Width of the longest name.
const NAME_WIDTH: usize = 5;

const RED: [[u8; 3]; 2] = [[208, 32, 40], [248, 248, 248]];
const BLUE: [[u8; 3]; 2] = [[24, 72, 176], [250, 204, 21]];
const GREEN: [[u8; 3]; 2] = [[16, 120, 80], [20, 20, 24]];

const AOIS: [Livery; 3] = [
    Livery { folder: "#2_TeamIris_992", number: "2", colours: RED, metallic: true, sponsors: true },
    Livery {
        folder: "チームレッド GT3",
        number: "27",
        colours: RED,
        metallic: false,
        sponsors: false,
    },
    SAFETY_CAR,
];

const BRUNOS: [Livery; 2] = [
    Livery {
        folder: "904 Lamborghini (Bruno & friends)",
        number: "904",
        colours: BLUE,
        metallic: true,
        sponsors: false,
    },
    // The same name, another paint.
    Livery { colours: BLUE, ..SAFETY_CAR },
];

const SAFETY_CAR: Livery = Livery {
    folder: "League Safety Car",
    number: "0",
    colours: RED,
    metallic: false,
    sponsors: false,
};

const CHLOES_LATE: Livery = Livery {
    folder: "Équipe Chloé été",
    number: "63",
    colours: GREEN,
    metallic: true,
    sponsors: false,
};

pub(super) fn run(args: &DemoArgs) -> Result<(), Failure> {
    let folder = tempfile::Builder::new()
        .prefix("liverysync-demo-")
        .tempdir()
        .context("cannot make a temporary folder")?;
    let runtime = super::runtime()?;
    let outcome = runtime.block_on(async {
        let mut interrupts = Interrupts::new()?;
        tokio::select! {
            outcome = play(folder.path()) => outcome,
            () = interrupts.next() => Err(Failure::new(Exit::Failed, "interrupted")),
        }
    });
    // Whatever still runs after an interruption must not write below the folder any more.
    drop(runtime);
    if args.keep {
        let path = folder.keep();
        let line = output::line(&format!("the folders are in {}", path.display()));
        return outcome.and(line.map_err(Failure::from));
    }
    let place = folder.path().display().to_string();
    let removed = folder.close().with_context(|| format!("cannot remove {place}"));
    outcome.and(removed.map_err(Failure::from))
}

/// Plays the demo below `folder`, and judges its result.
async fn play(folder: &Path) -> Result<(), Failure> {
    let mut league = League::start().await?;
    let mut made = Vec::new();

    let aoi = league.driver(AOI, folder, &AOIS, &mut made)?;
    league.join(aoi).await?;
    league.until_in_sync(&made).await?;

    let bruno = league.driver(BRUNO, folder, &BRUNOS, &mut made)?;
    league.join(bruno).await?;
    league.until_in_sync(&made).await?;

    let chloe = league.driver(CHLOE, folder, &[], &mut made)?;
    league.join(chloe).await?;
    league.until_in_sync(&made).await?;

    let late = CHLOES_LATE;
    league.say(&format!("{CHLOE} drops a new livery into her folder: {}", late.folder))?;
    let dropped = Instant::now();
    made.extend(paint::make(&league.drivers[chloe].folder, &late, hours_ago(0))?);
    league.until_in_sync(&made).await?;
    let took = units::duration(dropped.elapsed());
    league.say(&format!("everybody has it, {took} later"))?;

    let took = league.began.elapsed();
    let all = league.stop().await?;
    output::line("")?;
    check::table(&all).iter().try_for_each(|line| output::line(line))?;
    output::line("")?;
    judge(&made, &all, took)
}

fn judge(made: &[Made], all: &[Holdings], took: Duration) -> Result<(), Failure> {
    let faults = check::faults(made, all)?;
    if !faults.is_empty() {
        let faults = faults.join("\n  ");
        return Err(Failure::new(
            Exit::Failed,
            format!("the result is not what it should be:\n  {faults}"),
        )
        .hint("this is a fault of liverysync; please report it with these lines"));
    }
    let took = units::duration(took);
    output::line(&format!(
        "checked: the folders of all {} drivers are the same, byte for byte, and the modification times are kept",
        all.len()
    ))?;
    output::line(&format!(
        "nothing is lost: each of the {} files that the drivers brought is on every PC ({took} in all)",
        made.len()
    ))?;
    Ok(())
}

/// How many files the union of what was made has.
fn union_len(made: &[Made]) -> usize {
    let mut distinct: Vec<_> = made.iter().map(|file| (&file.path, &file.content)).collect();
    distinct.sort_unstable();
    distinct.dedup();
    distinct.len()
}

/// The server, the drivers, and what they tell.
struct League {
    began: Instant,
    server: JoinHandle<()>,
    stop_server: oneshot::Sender<()>,
    port: u16,
    drivers: Vec<Driver>,
    told: mpsc::UnboundedSender<Told>,
    telling: mpsc::UnboundedReceiver<Told>,
}

struct Driver {
    name: &'static str,
    folder: PathBuf,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
    /// Number of files with which this PC was last in sync.
    in_sync: Option<usize>,
    trouble: Option<String>,
}

enum Told {
    ByServer(ServerEvent),
    ByDriver(usize, Event),
}

impl League {
    async fn start() -> Result<Self, Failure> {
        let began = Instant::now();
        let builder = Server::builder().host("127.0.0.1").port(0);
        let started = builder.start_with_events().await;
        let (server, mut events) = started.map_err(|error| Failure::of(Exit::Failed, error))?;
        let address = server.address();
        let (told, telling) = mpsc::unbounded_channel();
        let (stop_server, mut stop) = oneshot::channel();
        let tell = told.clone();
        let server = tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = &mut stop => break,
                    event = events.next() => match event {
                        // The league ends before its listener does.
                        Some(event) => drop(tell.send(Told::ByServer(event))),
                        None => break,
                    },
                }
            }
            server.stop().await;
        });
        let (port, drivers) = (address.port(), Vec::new());
        let league = Self { began, server, stop_server, port, drivers, told, telling };
        league.say(&format!("the league's server listens on {address}"))?;
        Ok(league)
    }

    /// Gives a driver a PC with these liveries.
    fn driver(
        &mut self,
        name: &'static str,
        folder: &Path,
        liveries: &[Livery],
        made: &mut Vec<Made>,
    ) -> Result<usize, Failure> {
        let folder = folder.join(name).join("Liveries");
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let index = self.drivers.len();
        for (number, livery) in (1_u64..).zip(liveries) {
            made.extend(paint::make(&folder, livery, hours_ago(24 * number + index as u64))?);
        }
        let brings = match liveries.len() {
            0 => "an empty folder".to_owned(),
            1 => "1 livery".to_owned(),
            several => format!("{several} liveries"),
        };
        self.say(&format!("{name} joins with {brings}"))?;
        self.drivers.push(Driver { name, folder, running: None, in_sync: None, trouble: None });
        Ok(index)
    }

    /// Starts a driver's client.
    async fn join(&mut self, index: usize) -> Result<(), Failure> {
        let driver = &mut self.drivers[index];
        let builder = Client::builder("127.0.0.1").port(self.port).name(driver.name);
        let started = builder.liveries(&driver.folder).start_with_events().await;
        let (client, mut events) = started.map_err(|error| Failure::of(Exit::Failed, error))?;
        let (stop_in, mut stop) = oneshot::channel();
        let tell = self.told.clone();
        let task = tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = &mut stop => break,
                    event = events.next() => match event {
                        Some(event) => drop(tell.send(Told::ByDriver(index, event))),
                        None => break,
                    },
                }
            }
            client.stop().await;
        });
        driver.running = Some((stop_in, task));
        Ok(())
    }

    /// Shows what happens until every PC holds all that was made.
    async fn until_in_sync(&mut self, made: &[Made]) -> Result<(), Failure> {
        let files = union_len(made);
        while !self.drivers.iter().all(|driver| driver.in_sync == Some(files)) {
            match timeout_at(self.began + TIME_MAX, self.telling.recv()).await {
                Ok(Some(Told::ByServer(event))) => self.server_told(&event)?,
                Ok(Some(Told::ByDriver(index, event))) => self.driver_told(index, event)?,
                Ok(None) => return Err(anyhow!("all have stopped").into()),
                Err(_) => return Err(self.too_slow(files)),
            }
        }
        let names: Vec<_> = self.drivers.iter().map(|driver| driver.name).collect();
        let line = match names.as_slice() {
            [one] => format!("{one} is in sync with {files} files"),
            [some @ .., last] => {
                format!("{} and {last} are in sync with {files} files each", some.join(", "))
            }
            [] => return Ok(()),
        };
        self.say(&line)
    }

    fn server_told(&self, event: &ServerEvent) -> Result<(), Failure> {
        match event {
            ServerEvent::Conflict { name, path, conflict_path } => self.say(&format!(
                "conflict: {}'s {} is another paint; everybody gets both, his as {}",
                words::name(name),
                words::path(path),
                escape(conflict_path.file_name())
            )),
            _ => Ok(()),
        }
    }

    fn driver_told(&mut self, index: usize, event: Event) -> Result<(), Failure> {
        let driver = &mut self.drivers[index];
        match event {
            Event::Installed { path, backup, copied, .. } => {
                let mut line = format!("{:<NAME_WIDTH$} gets {}", driver.name, words::path(&path));
                if copied {
                    line += "  (copied on this PC, no download)";
                }
                if let Some(backup) = backup {
                    let folder: Vec<_> = backup.split('/').take(2).collect();
                    line += &format!("  (what was there: {})", escape(&folder.join("/")));
                }
                self.say(&line)
            }
            Event::InSync { files, .. } => {
                driver.in_sync = Some(files);
                Ok(())
            }
            Event::SendFailed { path, reason, .. } | Event::ReceiveFailed { path, reason, .. } => {
                let line = format!("{}: {}: {}", driver.name, escape(&path), escape(&reason));
                driver.trouble = Some(line.clone());
                self.say(&line)
            }
            Event::Disconnected { reason, .. } => {
                let line = format!("{} has lost the server: {}", driver.name, escape(&reason));
                driver.trouble = Some(line.clone());
                self.say(&line)
            }
            _ => Ok(()),
        }
    }

    fn too_slow(&self, files: usize) -> Failure {
        let late = self.drivers.iter().filter(|driver| driver.in_sync != Some(files));
        let late: Vec<_> = late
            .map(|driver| match &driver.trouble {
                Some(trouble) => format!("\n  {trouble}"),
                None => format!("\n  {} is not in sync with {files} files", driver.name),
            })
            .collect();
        let what = format!("not done after {}:{}", units::duration(TIME_MAX), late.concat());
        Failure::new(Exit::Failed, what)
            .hint("a firewall may hold up connections to 127.0.0.1, or this PC is very busy")
    }

    /// Stops everything, and reads what each driver has.
    async fn stop(self) -> Result<Vec<Holdings>, Failure> {
        let mut all = Vec::new();
        for driver in self.drivers {
            if let Some((stop, task)) = driver.running {
                drop(stop);
                task.await.context("a client has failed")?;
            }
            all.push(Holdings::read(driver.name, &driver.folder)?);
        }
        drop(self.stop_server);
        self.server.await.context("the server has failed")?;
        Ok(all)
    }

    /// Shows a line with the seconds since the start.
    fn say(&self, text: &str) -> Result<(), Failure> {
        let seconds = self.began.elapsed().as_secs_f64();
        output::line(&format!("{seconds:>5.2} s  {text}"))?;
        Ok(())
    }
}
