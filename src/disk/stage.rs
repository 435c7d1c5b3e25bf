//! Files on their way in: they lie in `.tmp` under names of our own until they are whole.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use liverysync_core::{
    client::{DiskFault, DiskFaultKind, DiskOutcome, DiskRequest, StageId},
    hash::{Content, Hasher},
    path::RelPath,
};

use super::{
    check_no_links, error_fault, fault,
    flush::{Flush, LARGE_FILE_BYTES},
    full_path, install,
};

/// Bytes that are copied at a time.
const COPY_BYTES: usize = 256 * 1024;

/// The staged files that one thread has open.
pub(super) type OpenStages = HashMap<StageId, File>;

/// Where files are staged.
#[derive(Debug)]
pub(super) struct Stages {
    root: PathBuf,
    folder: PathBuf,
    /// Tells this run's files from those of any other.
    run: String,
}

impl Stages {
    pub(super) fn new(root: &Path) -> Self {
        let run = format!("{:016x}", crate::clock::seed());
        Self { root: root.to_owned(), folder: root.join(".tmp"), run }
    }

    pub(super) fn path(&self, id: StageId) -> PathBuf {
        self.folder.join(format!("{}-{}.part", self.run, id.0))
    }

    /// Carries out a request, but for the flush that its outcome has to wait for.
    pub(super) fn carry_out(
        &self,
        open: &mut OpenStages,
        request: DiskRequest,
    ) -> (DiskOutcome, Flush) {
        let done = |result: io::Result<()>| DiskOutcome::Done(result.map_err(|e| error_fault(&e)));
        let outcome = match request {
            DiskRequest::Sweep => done(self.sweep()),
            DiskRequest::Create(id, _) => done(self.create(id).map(|file| {
                open.insert(id, file);
            })),
            DiskRequest::Write(id, offset, data) => done(write(open.get(&id), offset, &data)),
            DiskRequest::Seal(id) => match seal(open.remove(&id)) {
                Ok(flush) => return (DiskOutcome::Done(Ok(())), flush),
                Err(error) => done(Err(error)),
            },
            DiskRequest::Copy(id, from) => DiskOutcome::Copied(self.copy(id, &from)),
            DiskRequest::Discard(id) => {
                drop(open.remove(&id));
                done(remove_if_there(&self.path(id)))
            }
            DiskRequest::Install(plan) => {
                let (installed, touched) = install::install(&self.root, |id| self.path(id), plan);
                return (DiskOutcome::Installed(installed), Flush::Folders(touched));
            }
            _ => done(Ok(())),
        };
        (outcome, Flush::Nothing)
    }

    /// Removes what earlier runs left. A folder without leftovers has no `.tmp` either.
    fn sweep(&self) -> io::Result<()> {
        match fs::symlink_metadata(&self.folder) {
            Ok(metadata) if metadata.is_dir() => {}
            // Whatever else has that name is not ours to remove.
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        }
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            } else {
                fs::remove_file(entry.path())?;
            }
        }
        fs::remove_dir(&self.folder)
    }

    fn create(&self, id: StageId) -> io::Result<File> {
        let path = self.path(id);
        check_no_links(&self.root, Path::new(".tmp/x")).map_err(|f| io::Error::other(f.message))?;
        fs::create_dir_all(&self.folder)?;
        OpenOptions::new().write(true).create_new(true).open(path)
    }

    fn copy(&self, id: StageId, from: &RelPath) -> Result<Content, DiskFault> {
        let below: PathBuf = from.components().collect();
        check_no_links(&self.root, &below)?;
        self.copy_checked(id, from).map_err(|error| {
            let known = error_fault(&error);
            fault(known.kind, format!("cannot copy {from}: {}", known.message))
        })
    }

    fn copy_checked(&self, id: StageId, from: &RelPath) -> io::Result<Content> {
        let mut source = File::open(full_path(&self.root, from))?;
        let mut target = self.create(id)?;
        let (mut hasher, mut size) = (Hasher::default(), 0);
        let mut buffer = vec![0; COPY_BYTES];
        loop {
            let count = source.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            hasher.update(&buffer[..count]);
            target.write_all(&buffer[..count])?;
            size += count as u64;
        }
        target.sync_all()?;
        Ok(Content { hash: hasher.finish(), size })
    }
}

/// What is left to be flushed of a file that is whole.
fn seal(file: Option<File>) -> io::Result<Flush> {
    // A file that could not be created has been reported already.
    let file = file.ok_or(io::ErrorKind::NotFound)?;
    if file.metadata()?.len() < LARGE_FILE_BYTES {
        return Ok(Flush::File(file));
    }
    file.sync_all().map(|()| Flush::Nothing)
}

fn write(file: Option<&File>, offset: u64, data: &[u8]) -> io::Result<()> {
    // A file that could not be created has been reported already.
    let Some(mut file) = file else { return Err(io::ErrorKind::NotFound.into()) };
    if file.stream_position()? != offset {
        file.seek(SeekFrom::Start(offset))?;
    }
    file.write_all(data)
}

pub(super) fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Removes the folder for staged files if nothing lies in it.
pub(crate) fn remove_empty_folder(root: &Path) {
    // It is only tidiness: a folder that holds something stays.
    let _kept = fs::remove_dir(root.join(".tmp"));
}

/// What stands in the way of writing below `root`.
pub(crate) fn check_writable(root: &Path) -> Result<(), DiskFault> {
    let stages = Stages::new(root);
    let id = StageId(u64::MAX);
    let created = stages.create(id).map(drop);
    let removed = created.and_then(|()| remove_if_there(&stages.path(id)));
    remove_empty_folder(root);
    removed.map_err(|error| match error_fault(&error) {
        known if known.kind == DiskFaultKind::Other => fault(known.kind, error.to_string()),
        known => known,
    })
}
