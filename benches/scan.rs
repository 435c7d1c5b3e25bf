//! Scanning a folder: walk, choice and SHA-256 on all cores, with the files in the page cache. And a client's
//! start in a folder that has not changed since its last run: nothing is read.

#![allow(missing_docs, reason = "criterion's macro writes a public function")]
#![expect(clippy::unwrap_used, reason = "a bench stops at what it did not expect")]

use std::{
    fs::{self, File},
    path::Path,
    time::{Duration, SystemTime},
};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use liverysync::{Client, ClientEvent, Rules, scan};

fn folder(liveries: usize, picture_bytes: usize) -> (tempfile::TempDir, u64) {
    let root = tempfile::tempdir().unwrap();
    let mut bytes = 0;
    for number in 0..liveries {
        let livery = root.path().join(format!("#{number}_Team"));
        fs::create_dir(&livery).unwrap();
        for (name, size) in [("decals.png", picture_bytes), ("decals.json", 300)] {
            let byte = u8::try_from(number % 251).unwrap();
            fs::write(livery.join(name), vec![byte; size]).unwrap();
            // What was changed just now is not remembered.
            let long_ago = SystemTime::now() - Duration::from_secs(3600);
            let file = File::options().write(true).open(livery.join(name)).unwrap();
            file.set_modified(long_ago).unwrap();
            bytes += size as u64;
        }
    }
    (root, bytes)
}

fn scans(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("scan");
    group.sample_size(10);
    for (name, liveries, picture_bytes) in
        [("60_liveries_of_2_MB", 60, 2_000_000), ("2000_liveries_of_20_kB", 2_000, 20_000)]
    {
        let (root, bytes) = folder(liveries, picture_bytes);
        group.throughput(Throughput::Bytes(bytes));
        group.bench_function(name, |bench| {
            bench.iter(|| scan(root.path(), &Rules::default()).unwrap().manifest.len());
        });
    }
    group.finish();
}

/// Runs a client, which finds no server, until it knows what the folder holds. Returns how many files that is.
async fn start(root: &Path, state: &Path) -> usize {
    let builder = Client::builder("127.0.0.1").port(1).liveries(root).state(state);
    let builder = builder.identity(state.join("identity.json"));
    let (client, mut events) = builder.start_with_events().await.unwrap();
    let files = loop {
        if let ClientEvent::Scanned { files, .. } = events.next().await.unwrap() {
            break files;
        }
    };
    client.stop().await;
    files
}

fn starts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("start_unchanged");
    group.sample_size(10);
    let (root, _) = folder(4_000, 7_000);
    let state = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let run = || runtime.block_on(start(root.path(), state.path()));
    assert_eq!(run(), 8_000, "the first run reads all files, and remembers them");
    assert_ne!(fs::read_dir(state.path()).unwrap().count(), 0, "it was written down");
    group.bench_function("8000_files", |bench| bench.iter(run));
    group.finish();
}

criterion_group!(benches, scans, starts);
criterion_main!(benches);
