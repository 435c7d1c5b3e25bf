//! Union merge and diff with 1,000, 10,000 and 100,000 files.

#![allow(missing_docs, reason = "criterion's macro writes a public function")]
#![expect(clippy::unwrap_used, reason = "a bench stops at what it did not expect")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use liverysync::core::{
    conflict::{Naming, Policy},
    diff::diff,
    hash::Content,
    manifest::{Entry, Manifest},
    path::{Extensions, RelPath},
    time::UnixTime,
    union::{Change, MemberId, merge},
};

const SIZES: [usize; 3] = [1_000, 10_000, 100_000];

/// A manifest of `files` files, four to a livery. Every tenth file differs between `owners`.
fn manifest(files: usize, owner: u8) -> Manifest {
    let mut manifest = Manifest::new();
    for number in 0..files {
        let name = ["decals.png", "decals.json", "sponsors.png", "sponsors.json"][number % 4];
        let path = format!("#{}_Équipe {}/{name}", number / 4, number % 7);
        let path = RelPath::parse(&path, &Extensions::default()).unwrap();
        let own = if number % 10 == 0 { owner } else { 0 };
        let content = Content::of(format!("{number} {own}").as_bytes());
        let mtime = Some(UnixTime::from_nanos(number as i64));
        manifest.insert(Entry { path, content, mtime }).unwrap();
    }
    manifest
}

fn unions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("union");
    group.sample_size(10);
    for files in SIZES {
        let manifests = [manifest(files, 1), manifest(files, 2), manifest(files, 3)];
        group.throughput(Throughput::Elements(files as u64));
        group.bench_function(BenchmarkId::new("merge_three_manifests", files), |bench| {
            bench.iter(|| merge(black_box(&manifests), Policy::Established, Naming::default()));
        });
        let (union, _) = merge(&manifests, Policy::Established, Naming::default());
        let mut edited = manifests[0].clone();
        let first = edited.iter().next().unwrap().clone();
        edited.replace(Entry { content: Content::of(b"edited"), ..first }).unwrap();
        group.bench_function(BenchmarkId::new("apply_one_change", files), |bench| {
            let change = Change::between(MemberId(0), 4, &manifests[0], &edited);
            bench.iter_batched_ref(
                || union.clone(),
                |union| union.step(vec![black_box(change.clone())]),
                criterion::BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

fn diffs(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("diff");
    group.sample_size(20);
    for files in SIZES {
        let (have, want) = (manifest(files, 1), manifest(files, 2));
        group.throughput(Throughput::Elements(files as u64));
        group.bench_function(BenchmarkId::new("a_tenth_differs", files), |bench| {
            bench.iter(|| diff(black_box(&have), black_box(&want)));
        });
        group.bench_function(BenchmarkId::new("manifest_hash", files), |bench| {
            bench.iter(|| black_box(&have).hash());
        });
    }
    group.finish();
}

criterion_group!(benches, unions, diffs);
criterion_main!(benches);
