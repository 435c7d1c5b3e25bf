//! A home with a slow way up: two network namespaces, and a link between them.
//!
//! The namespaces have no names. Each lives as long as a process of ours in it, and that ends when its standard input is
//! closed and the programs under measurement have ended: so even Ctrl-C leaves nothing behind. The machine's own network
//! is not touched.

use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use xtask::process::{poll, read};

use crate::site::{Place, Site};

/// What the source can send. Its way down, and all other links, are as fast as the machine.
const RATE: &str = "20mbit";

/// At least a tick's worth at that rate, and a small part of a second.
const BURST: &str = "32kb";

/// How long a packet may wait before it is dropped: what a home router holds.
const QUEUE: &str = "100ms";

const HOME_ADDRESS: &str = "10.0.0.1";
const OUTSIDE_ADDRESS: &str = "10.0.0.2";
const LINK: &str = "peers-up";
const OTHER_END: &str = "peers-down";

/// For making a namespace.
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
        // From inside of the first, so that neither end is ever in the machine's own network.
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

    /// The source at home, everybody else outside.
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

/// A network namespace, held by a process that waits for the end of its standard input.
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

    /// Gives this end of the link its address, and switches it and loopback on.
    fn connect(&self, link: &str, address: &str) -> Result<()> {
        self.run(&format!("ip address add {address}/24 dev {link}"))?;
        self.run(&format!("ip link set {link} up"))?;
        self.run("ip link set lo up")
    }

    /// Runs a short command in it, whose words are separated by spaces.
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
        // Its end, and with it that of the namespace and the link in it.
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
