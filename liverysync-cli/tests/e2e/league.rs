//! A league of real processes on loopback, and the folders of its drivers.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
    process::Output,
    time::{Duration, Instant, SystemTime},
};

use liverysync_core::hash::Hasher;
use serde_json::Value;

use crate::process::{PATIENCE, Process, liverysync, peer};

/// Digest and modification time of each path.
pub(crate) type Tree = BTreeMap<String, (String, SystemTime)>;

/// The name of a server's data folder, beside the folders of the drivers.
const DATA: &str = "data";

pub(crate) struct League {
    dir: tempfile::TempDir,
    pub(crate) server: Process,
    pub(crate) port: u64,
}

impl League {
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    /// Starts a server with these additional options.
    pub(crate) fn with(options: &[&str]) -> Self {
        let mut command = liverysync();
        command.args(["server", "--host", "127.0.0.1", "--port", "0", "--json"]).args(options);
        Self::of(Process::start("server", &mut command))
    }

    /// Starts a server with a data folder. Anyone may update, unless the options say otherwise.
    pub(crate) fn with_data(options: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let updates: &[&str] =
            if options.contains(&"--updates") { &[] } else { &["--updates", "anyone"] };
        let (server, port) = serve(dir.path(), 0, &[options, updates].concat());
        Self { dir, server, port }
    }

    /// Restarts the server on its data folder and port, once the last one has ended.
    pub(crate) fn restart_server(&mut self) {
        self.restart_server_with(&[]);
    }

    pub(crate) fn restart_server_with(&mut self, options: &[&str]) {
        (self.server, self.port) = serve(self.dir.path(), self.port, options);
    }

    /// Returns the server's data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join(DATA)
    }

    /// Runs a command of an admin on the server's data folder and returns its object.
    pub(crate) fn administer(&self, args: &[&str]) -> Value {
        let mut command = liverysync();
        command.arg("league").args(args).arg("--json").arg("--data").arg(self.data());
        let output = command.output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {errors}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Runs a command of a driver for their own liveries.
    pub(crate) fn change_own(&self, driver: &str, args: &[&str]) -> Output {
        let mut command = liverysync();
        command.args(args).args(["--host", "127.0.0.1", "--port", &self.port.to_string()]);
        command.env("LIVERYSYNC_STATE", self.state());
        command.env("LIVERYSYNC_IDENTITY", self.identity(driver));
        command.output().unwrap()
    }

    /// Waits until the server's store has a union of this many files.
    pub(crate) fn wait_until_stored(&self, files: usize) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let status = self.administer(&["status"]);
            if status["files"] == files && status["missing"] == 0 {
                return;
            }
            assert!(Instant::now() < deadline, "never kept: {status}");
        }
    }

    /// Starts a client with a state folder that reconnects quickly.
    pub(crate) fn member(&self, name: &str, options: &[&str]) -> Driver {
        let state = self.dir.path().join("state");
        let soon = ["--retry-first-seconds", "0.1", "--retry-max-seconds", "0.2"];
        let own = [&["--state", state.to_str().unwrap()], &soon[..], options].concat();
        self.driver(name, &own)
    }

    /// Starts a server of protocol 1.
    pub(crate) fn old(generation: &str) -> Self {
        let mut command = peer("old_server.py");
        command.args(["--generation", generation]);
        Self::of(Process::start("old server", &mut command))
    }

    fn of(mut server: Process) -> Self {
        let port = server.wait_for_event("listening")["port"].as_u64().unwrap();
        Self { dir: tempfile::tempdir().unwrap(), server, port }
    }

    /// Returns the state folder of the clients.
    pub(crate) fn state(&self) -> PathBuf {
        self.dir.path().join("state of the clients")
    }

    /// Returns the identity file of a driver.
    pub(crate) fn identity(&self, name: &str) -> PathBuf {
        self.dir.path().join("identities").join(name).with_extension("json")
    }

    /// Returns the folder of a driver, created if missing.
    pub(crate) fn folder(&self, name: &str) -> Folder {
        let root = self.dir.path().join(name);
        fs::create_dir_all(&root).unwrap();
        Folder { root }
    }

    /// Starts a liverysync client on the folder of that name.
    pub(crate) fn driver(&self, name: &str, options: &[&str]) -> Driver {
        self.driver_at(self.port, name, options)
    }

    /// Starts a liverysync client that reaches the server at another port.
    pub(crate) fn driver_at(&self, port: u64, name: &str, options: &[&str]) -> Driver {
        let folder = self.folder(name);
        let mut command = liverysync();
        command.args(["client", "--json", "--port", &port.to_string(), "--name", name]);
        command.arg("--liveries").arg(&folder.root).args(options);
        command.env("LIVERYSYNC_STATE", self.state());
        // All drivers run as one user of this PC, who would be one member.
        command.env("LIVERYSYNC_IDENTITY", self.identity(name));
        Driver { process: Process::start(name, &mut command), folder }
    }

    /// Starts a client of protocol 1 on the folder of that name.
    pub(crate) fn old_driver(&self, name: &str, generation: &str, options: &[&str]) -> Driver {
        let folder = self.folder(name);
        let mut command = peer("old_client.py");
        command.args([
            "--generation",
            generation,
            "--port",
            &self.port.to_string(),
            "--name",
            name,
        ]);
        command.arg("--root").arg(&folder.root).args(options);
        let mut process = Process::start(name, &mut command);
        process.wait_for_event("connected");
        Driver { process, folder }
    }

    /// Waits until the server reports this many clients in sync with this many files.
    pub(crate) fn wait_in_sync(&mut self, clients: usize, files: usize) {
        self.server.wait_for(
            &format!("that {clients} clients are in sync with {files} files"),
            |event| {
                event["event"] == "in_sync"
                    && event["clients"] == clients
                    && event["files"] == files
            },
        );
    }
}

fn serve(dir: &Path, port: u64, options: &[&str]) -> (Process, u64) {
    let mut command = liverysync();
    command.args(["server", "--host", "127.0.0.1", "--port", &port.to_string(), "--json"]);
    command.arg("--data").arg(dir.join(DATA)).args(options);
    let mut server = Process::start("server", &mut command);
    let port = server.wait_for_event("listening")["port"].as_u64().unwrap();
    (server, port)
}

/// A driver's PC.
pub(crate) struct Driver {
    pub(crate) process: Process,
    pub(crate) folder: Folder,
}

impl Driver {
    /// Waits until this PC reports that it is in sync with this many files.
    pub(crate) fn wait_in_sync(&mut self, files: usize) {
        let is_meant = |event: &Value| event["event"] == "in_sync" && event["files"] == files;
        self.process.wait_for(&format!("that it is in sync with {files} files"), is_meant);
    }
}

/// A liveries folder.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    pub(crate) root: PathBuf,
}

impl Folder {
    /// Writes a file with an old date that depends on its path.
    pub(crate) fn write(&self, path: &str, bytes: &[u8]) {
        let full = self.root.join(path);
        fs::create_dir_all(full.parent().unwrap()).unwrap();
        fs::write(&full, bytes).unwrap();
        let age = Duration::from_nanos(86_400_123_456_700 + 1_000_000_000 * path.len() as u64);
        let file = File::options().write(true).open(&full).unwrap();
        file.set_modified(SystemTime::now() - age).unwrap();
    }

    /// Writes a file of `bytes` bytes that differ by path and driver.
    pub(crate) fn write_large(&self, path: &str, bytes: usize) {
        self.write(path, &noise(&format!("{}{path}", self.root.display()), bytes));
    }

    pub(crate) fn read(&self, path: &str) -> Option<Vec<u8>> {
        fs::read(self.root.join(path)).ok()
    }

    /// Returns the driver's files: everything except `.backup` and `.tmp`.
    pub(crate) fn tree(&self) -> Tree {
        let mut tree = Tree::new();
        walk(&self.root, &self.root, &mut tree);
        tree.retain(|path, _| !path.starts_with(".backup/") && !path.starts_with(".tmp/"));
        tree
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.tree().into_keys().collect()
    }

    /// Returns the backups: path below the set, and bytes.
    pub(crate) fn backups(&self) -> Vec<(String, Vec<u8>)> {
        let mut tree = Tree::new();
        walk(&self.root, &self.root.join(".backup"), &mut tree);
        let read = |path: String| {
            let (_, rest) = path.strip_prefix(".backup/").unwrap().split_once('/').unwrap();
            (rest.to_owned(), self.read(&path).unwrap())
        };
        tree.into_keys().map(read).collect()
    }

    /// Returns whether no unfinished download is left.
    pub(crate) fn has_no_leftovers(&self) -> bool {
        fs::read_dir(self.root.join(".tmp")).is_ok_and(|mut left| left.next().is_none())
            || !self.root.join(".tmp").exists()
    }
}

/// Counts the files below a folder.
pub(crate) fn files_below(folder: &Path) -> usize {
    let mut tree = Tree::new();
    walk(folder, folder, &mut tree);
    tree.len()
}

fn walk(root: &Path, folder: &Path, tree: &mut Tree) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(root, &path, tree);
        } else {
            let name = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
            let modified = fs::metadata(&path).unwrap().modified().unwrap();
            tree.insert(name, (digest(&path), modified));
        }
    }
}

fn digest(path: &Path) -> String {
    let (mut file, mut hasher) = (File::open(path).unwrap(), Hasher::default());
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer).unwrap() {
            0 => return hasher.finish().to_string(),
            count => hasher.update(&buffer[..count]),
        }
    }
}

/// Returns bytes without repetition, the same for the same name.
pub(crate) fn noise(name: &str, bytes: usize) -> Vec<u8> {
    let seed = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut state = seed | 1;
    let mut words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    let mut all = Vec::with_capacity(bytes + 8);
    while all.len() < bytes {
        all.extend(words.next().unwrap());
    }
    all.truncate(bytes);
    all
}
