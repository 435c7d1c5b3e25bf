//! Scanning a folder: walk, choice and SHA-256 on all cores, with the files in the page cache.

#![allow(missing_docs, reason = "criterion's macro writes a public function")]
#![expect(clippy::unwrap_used, reason = "a bench stops at what it did not expect")]

use std::fs;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use liverysync::{core::select::Rules, scan::scan};

fn folder(liveries: usize, picture_bytes: usize) -> (tempfile::TempDir, u64) {
    let root = tempfile::tempdir().unwrap();
    let mut bytes = 0;
    for number in 0..liveries {
        let livery = root.path().join(format!("#{number}_Team"));
        fs::create_dir(&livery).unwrap();
        for (name, size) in [("decals.png", picture_bytes), ("decals.json", 300)] {
            let byte = u8::try_from(number % 251).unwrap();
            fs::write(livery.join(name), vec![byte; size]).unwrap();
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

criterion_group!(benches, scans);
criterion_main!(benches);
