//! A home with a slow uplink: two network namespaces, and a link between them.
//!
//! The namespaces have no names. Each exists as long as its holder, a process that ends when its standard input is closed
//! and the programs under measurement have ended. So even Ctrl-C leaves nothing behind. The machine's own network does
//! not change.

use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use xtask::process::{poll, read};

use crate::site::{Place, Site};

/// The rate at which the source can send. All other directions are as fast as the machine.
const RATE: &str = "20mbit";

/// The burst: at least one tick at that rate, and a small part of a second.
const BURST: &str = "32kb";

/// The time that a packet may wait before it is dropped, as in a home router.
const QUEUE: &str = "100ms";

const HOME_ADDRESS: &str = "10.0.0.1";
const OUTSIDE_ADDRESS: &str = "10.0.0.2";
const LINK: &str = "peers-up";
const OTHER_END: &str = "peers-down";

/// The time limit for making a namespace.
const SHORT: Duration = Duration::from_secs(10);

/// Both namespaces.
#[derive(Debug)]
pub(crate) struct Network {
    home: Namespace,
    outside: Namespace,
}

impl Network {
    pub(crate) fn new() -> Result<Self> {
        let network = Self { home: Namespace::new()?, outside: Namespace::new()? };
        let (home, outside) = (network.home.pid(), network.outside.pid());
        // From inside the first one, so that neither end is ever in the machine's own network.
        network
            .home
            .run(&format!("ip link add {LINK} type veth peer name {OTHER_END} netns {outside}"))?;
        network.home.connect(LINK, HOME_ADDRESS)?;
        network.outside.connect(OTHER_END, OUTSIDE_ADDRESS)?;
        network
            .home
            .run(&format!(
                "tc qdisc add dev {LINK} root tbf rate {RATE} burst {BURST} latency {QUEUE}"
            ))
            .with_context(|| format!("no slow link in the namespace of {home}"))?;
        Ok(network)
    }

    /// Returns the site with the source at home and all others outside.
    pub(crate) fn site(&self) -> Site {
        Site {
            source: self.home.place(),
            others: self.outside.place(),
            source_address: HOME_ADDRESS,
            server_address: OUTSIDE_ADDRESS,
            link: Some(LINK),
        }
    }
}

/// A network namespace and its holder, a process that waits for the end of its standard input.
#[derive(Debug)]
struct Namespace {
    holder: Child,
}

impl Namespace {
    fn new() -> Result<Self> {
        let holder = Command::new("unshare")
            .args(["--net", "cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .context("cannot run unshare")?;
        let mut namespace = Self { holder };
        namespace.wait_until_made()?;
        Ok(namespace)
    }

    fn wait_until_made(&mut self) -> Result<()> {
        let network = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/net"));
        let own = network("self").context("this system has no network namespaces")?;
        let pid = self.pid().to_string();
        let made = poll(SHORT, || {
            if let Some(status) = self.holder.try_wait()? {
                bail!("unshare ended with {status}");
            }
            Ok((network(&pid)? != own).then_some(()))
        })?;
        made.context("unshare makes no network namespace")
    }

    fn pid(&self) -> u32 {
        self.holder.id()
    }

    fn place(&self) -> Place {
        Place::Of(self.pid())
    }

    /// Gives this side of the link its address, and switches it and loopback on.
    fn connect(&self, link: &str, address: &str) -> Result<()> {
        self.run(&format!("ip address add {address}/24 dev {link}"))?;
        self.run(&format!("ip link set {link} up"))?;
        self.run("ip link set lo up")
    }

    /// Runs a short command in it. Spaces separate the words of `line`.
    fn run(&self, line: &str) -> Result<()> {
        let mut words = line.split_whitespace();
        let program = words.next().context("an empty command")?;
        let mut command = self.place().command(program, &std::env::temp_dir());
        command.args(words);
        read(command).map(drop)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // This ends the holder, and with it the namespace and its link.
        drop(self.holder.stdin.take());
        for _ in 0..100 {
            if !matches!(self.holder.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        drop(self.holder.kill());
        drop(self.holder.wait());
    }
}
