//! `liverysync demo`: a league on one PC, over real sockets, with liveries that it makes itself.

mod check;
mod paint;

use std::{
    collections::BTreeMap,
    fs, mem,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use liverysync::{Client, ClientEvent as Event, Server, ServerEvent};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::{Instant, timeout_at},
};

use self::{
    check::Folder,
    paint::{Livery, Made, hours_ago},
};
use super::Interrupts;
use crate::{
    cli::DemoArgs,
    exit::Failure,
    output,
    text::{demo as text, error},
};

/// Longest time that the demo may take.
const TIME_MAX: Duration = Duration::from_secs(14);

const AOI: &str = "Aoi";
const BRUNO: &str = "Bruno";
const CHLOE: &str = "Chloé";

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
        .context(error::TEMPORARY_FOLDER)?;
    let runtime = super::runtime()?;
    let outcome = runtime.block_on(async {
        let mut interrupts = Interrupts::new()?;
        tokio::select! {
            outcome = play(folder.path()) => outcome,
            () = interrupts.next() => Err(error::demo_interrupted().into()),
        }
    });
    // After an interruption, nothing may write to the folder while it is removed.
    drop(runtime);
    if args.keep {
        let path = folder.keep();
        let line = output::line(&text::kept(&path.display().to_string()));
        return outcome.and(line.map_err(Failure::from));
    }
    let place = folder.path().to_owned();
    let removed = folder.close().with_context(|| error::cannot_remove(&place));
    outcome.and(removed.map_err(Failure::from))
}

/// Plays the demo below `folder` and checks its result.
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
    league.say(&text::drops(CHLOE, late.folder))?;
    let dropped = Instant::now();
    made.extend(paint::make(&league.drivers[chloe].folder, &late, hours_ago(0))?);
    league.until_in_sync(&made).await?;
    league.say(&text::everyone_has_it(dropped.elapsed()))?;

    let took = league.began.elapsed();
    let all = league.stop().await?;
    output::line("")?;
    let rows: Vec<_> = all.iter().map(Folder::row).collect();
    text::table(&rows).iter().try_for_each(|line| output::line(line))?;
    output::line("")?;
    judge(&made, &all, took)
}

fn judge(made: &[Made], all: &[Folder], took: Duration) -> Result<(), Failure> {
    let faults: Vec<_> = check::faults(made, all)?.iter().map(text::fault).collect();
    if !faults.is_empty() {
        return Err(error::demo_wrong(&faults).into());
    }
    Ok(text::checked(all.len(), made.len(), took).iter().try_for_each(|line| output::line(line))?)
}

/// Returns the number of distinct files that were made.
fn union_len(made: &[Made]) -> usize {
    let mut distinct: Vec<_> = made.iter().map(|file| (&file.path, &file.content)).collect();
    distinct.sort_unstable();
    distinct.dedup();
    distinct.len()
}

/// The server, the drivers and their events.
struct League {
    began: Instant,
    server: JoinHandle<()>,
    stop_server: oneshot::Sender<()>,
    port: u16,
    drivers: Vec<Driver>,
    /// Files that drivers received, by driver and livery, until they are shown together.
    gained: BTreeMap<(usize, String, bool), text::Gained>,
    events_in: mpsc::UnboundedSender<Happened>,
    events: mpsc::UnboundedReceiver<Happened>,
}

struct Driver {
    name: &'static str,
    folder: PathBuf,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
    /// Numbers of liveries and files with which this PC was last in sync.
    in_sync: Option<(usize, usize)>,
    trouble: Option<String>,
}

enum Happened {
    AtServer(ServerEvent),
    AtDriver(usize, Event),
}

impl League {
    async fn start() -> Result<Self, Failure> {
        let began = Instant::now();
        let started = Server::builder().host("127.0.0.1").port(0).start_with_events().await;
        let (server, mut events) = started.map_err(|error| error::server(&error))?;
        let address = server.address();
        let (events_in, events_out) = mpsc::unbounded_channel();
        let (stop_server, mut stop) = oneshot::channel();
        let sender = events_in.clone();
        let server = tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = &mut stop => break,
                    event = events.next() => match event {
                        // The league ends before its listener does.
                        Some(event) => drop(sender.send(Happened::AtServer(event))),
                        None => break,
                    },
                }
            }
            server.stop().await;
        });
        let (port, drivers) = (address.port(), Vec::new());
        let league = Self {
            began,
            server,
            stop_server,
            port,
            drivers,
            gained: BTreeMap::new(),
            events_in,
            events: events_out,
        };
        league.say(&text::listening(address))?;
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
        fs::create_dir_all(&folder).with_context(|| error::cannot_create(&folder))?;
        let index = self.drivers.len();
        for (number, livery) in (1_u64..).zip(liveries) {
            made.extend(paint::make(&folder, livery, hours_ago(24 * number + index as u64))?);
        }
        self.say(&text::joins(name, liveries.len()))?;
        self.drivers.push(Driver { name, folder, running: None, in_sync: None, trouble: None });
        Ok(index)
    }

    /// Starts a driver's client.
    async fn join(&mut self, index: usize) -> Result<(), Failure> {
        let driver = &mut self.drivers[index];
        let builder = Client::builder("127.0.0.1").port(self.port).name(driver.name);
        let started = builder.liveries(&driver.folder).start_with_events().await;
        let (client, mut events) = started.map_err(|error| error::client(&error))?;
        let (stop_in, mut stop) = oneshot::channel();
        let sender = self.events_in.clone();
        let task = tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = &mut stop => break,
                    event = events.next() => match event {
                        Some(event) => drop(sender.send(Happened::AtDriver(index, event))),
                        None => break,
                    },
                }
            }
            client.stop().await;
        });
        driver.running = Some((stop_in, task));
        Ok(())
    }

    /// Shows what happens until every PC has everything that was made.
    async fn until_in_sync(&mut self, made: &[Made]) -> Result<(), Failure> {
        let files = union_len(made);
        let is_late = |driver: &Driver| driver.in_sync.is_none_or(|(_, held)| held != files);
        while self.drivers.iter().any(is_late) {
            match timeout_at(self.began + TIME_MAX, self.events.recv()).await {
                Ok(Some(Happened::AtServer(event))) => self.server_event(&event)?,
                Ok(Some(Happened::AtDriver(index, event))) => self.driver_event(index, event)?,
                Ok(None) => return Err(error::demo_ended().into()),
                Err(_) => return Err(self.too_slow(files)),
            }
        }
        self.show_gained()?;
        let names: Vec<_> = self.drivers.iter().map(|driver| driver.name.to_owned()).collect();
        let liveries = self.drivers.iter().find_map(|driver| driver.in_sync);
        self.say(&text::in_sync(&names, liveries.map_or(0, |(liveries, _)| liveries)))
    }

    fn server_event(&self, event: &ServerEvent) -> Result<(), Failure> {
        match event {
            // Aoi had the livery before the others joined.
            ServerEvent::Conflict { name, path, .. } => {
                self.say(&text::conflict(path.livery(), AOI, name))
            }
            _ => Ok(()),
        }
    }

    fn driver_event(&mut self, index: usize, event: Event) -> Result<(), Failure> {
        let driver = &mut self.drivers[index];
        match event {
            Event::Installed { path, bytes, backup, copied, .. } => {
                let key = (index, path.livery().to_owned(), copied);
                let gained = self.gained.entry(key).or_default();
                gained.files += 1;
                gained.bytes += bytes;
                gained.copied = copied;
                gained.backup = backup.or_else(|| gained.backup.take());
                Ok(())
            }
            Event::InSync { liveries, files, .. } => {
                driver.in_sync = Some((liveries, files));
                Ok(())
            }
            Event::SendFailed { path, reason, .. } | Event::ReceiveFailed { path, reason, .. } => {
                let line = text::trouble(driver.name, Some(&path), &reason);
                driver.trouble = Some(line.clone());
                self.say(&line)
            }
            Event::Disconnected { reason, .. } => {
                let line = text::trouble(driver.name, None, &reason);
                driver.trouble = Some(line.clone());
                self.say(&line)
            }
            _ => Ok(()),
        }
    }

    fn show_gained(&mut self) -> Result<(), Failure> {
        for ((index, livery, _), gained) in mem::take(&mut self.gained) {
            self.say(&text::gained(self.drivers[index].name, &livery, &gained))?;
        }
        Ok(())
    }

    fn too_slow(&self, files: usize) -> Failure {
        let is_late = |driver: &&Driver| driver.in_sync.is_none_or(|(_, held)| held != files);
        let late = self.drivers.iter().filter(is_late);
        let late: Vec<_> = late
            .map(|driver| match &driver.trouble {
                Some(trouble) => trouble.clone(),
                None => text::late(driver.name, files),
            })
            .collect();
        error::demo_slow(TIME_MAX, &late).into()
    }

    /// Stops everything and reads each driver's folder.
    async fn stop(self) -> Result<Vec<Folder>, Failure> {
        let mut all = Vec::new();
        for driver in self.drivers {
            if let Some((stop, task)) = driver.running {
                drop(stop);
                task.await.context(error::CLIENT_FAILED)?;
            }
            all.push(Folder::read(driver.name, &driver.folder)?);
        }
        drop(self.stop_server);
        self.server.await.context(error::SERVER_FAILED)?;
        Ok(all)
    }

    /// Shows a line with the seconds since the start.
    fn say(&self, text: &str) -> Result<(), Failure> {
        Ok(output::line(&text::line(self.began.elapsed(), text))?)
    }
}
