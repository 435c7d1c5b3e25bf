//! Union merge and diff with 1,000, 10,000 and 100,000 files, and the steps of a league of 1,000 PCs.

#![allow(missing_docs, reason = "criterion's macro writes a public function")]
#![expect(clippy::unwrap_used, reason = "a bench stops at what it did not expect")]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use liverysync_core::{
    conflict::{Naming, Policy},
    hash::Content,
    manifest::{Entry, Manifest},
    path::{Extensions, RelPath},
    time::UnixTime,
    union::{Change, PeerId, Union},
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
            bench.iter(|| {
                Union::merge(black_box(&manifests), Policy::Established, Naming::default())
            });
        });
        let (union, _) = Union::merge(&manifests, Policy::Established, Naming::default());
        let mut edited = manifests[0].clone();
        let first = edited.iter().next().unwrap().clone();
        edited.replace(Entry { content: Content::of(b"edited"), ..first }).unwrap();
        group.bench_function(BenchmarkId::new("apply_one_change", files), |bench| {
            let change = Change::between(PeerId(0), 4, &manifests[0], &edited);
            bench.iter_batched_ref(
                || union.clone(),
                |union| union.step(vec![black_box(change.clone())]),
                criterion::BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

const MEMBERS: u64 = 1_000;

/// A union that 1,000 PCs hold.
fn league(manifest: &Manifest) -> Union {
    let mut union = Union::new(Policy::Established, Naming::default());
    for member in 0..MEMBERS {
        let _outcome = union.step(vec![joining(member, manifest)]);
    }
    union
}

fn joining(member: u64, manifest: &Manifest) -> Change {
    Change::between(PeerId(member), member, &Manifest::new(), manifest)
}

/// The same manifest with two new contents and two new files.
fn edited(manifest: &Manifest) -> Manifest {
    let mut edited = manifest.clone();
    for number in [1, 2] {
        let there = manifest.iter().nth(manifest.len() / 3 * number).unwrap().clone();
        edited.replace(Entry { content: Content::of(b"edited"), ..there.clone() }).unwrap();
        let name = format!("new {number}.png");
        let path = there.path.with_file_name(&name, &Extensions::default()).unwrap();
        edited.insert(Entry { path, ..there }).unwrap();
    }
    edited
}

fn steps(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("league_of_1000");
    group.sample_size(20);
    let old = manifest(3_000, 1);
    let mut union = league(&old);
    let member = PeerId(MEMBERS / 2);
    // There and back: the union is the same after every second step.
    group.bench_function(
        BenchmarkId::new("step_of_four_files_in_a_whole_manifest", 3_000),
        |bench| {
            let (mut old, mut new) = (old.clone(), edited(&old));
            bench.iter(|| {
                let outcome = union.step(vec![Change::between(member, 1, &old, &new)]);
                std::mem::swap(&mut old, &mut new);
                outcome
            });
        },
    );
    group.bench_function(BenchmarkId::new("step_of_four_files_in_a_change", 3_000), |bench| {
        let there = Change::between(member, 1, &old, &edited(&old));
        let back = Change::between(member, 1, &edited(&old), &old);
        let mut turns = [there, back].into_iter().cycle();
        bench.iter(|| union.step(turns.next().into_iter().collect()));
    });
    drop(union);
    for files in [3_000, 8_000] {
        let manifest = manifest(files, 1);
        let mut union = league(&manifest);
        let leaving = Change::between(PeerId(MEMBERS), 1, &manifest, &Manifest::new());
        group.bench_function(BenchmarkId::new("join_with_everything", files), |bench| {
            bench.iter_custom(|times| {
                let join = |_| {
                    let start = Instant::now();
                    let _joined = union.step(vec![joining(MEMBERS, &manifest)]);
                    let took = start.elapsed();
                    let _left = union.step(vec![leaving.clone()]);
                    took
                };
                (0..times).map(join).sum::<Duration>()
            });
        });
        group.bench_function(BenchmarkId::new("manifest_of_the_union", files), |bench| {
            bench.iter(|| union.manifest());
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
            bench.iter(|| black_box(&have).diff(black_box(&want)));
        });
        group.bench_function(BenchmarkId::new("manifest_hash", files), |bench| {
            bench.iter(|| black_box(&have).hash());
        });
    }
    let have = manifest(3_000, 1);
    let mut want = have.clone();
    for number in 0..10 {
        let there = have.iter().nth(number * 300).unwrap().clone();
        want.replace(Entry { content: Content::of(b"other"), ..there }).unwrap();
    }
    group.bench_function(BenchmarkId::new("ten_differ", 3_000), |bench| {
        bench.iter(|| black_box(&have).diff(black_box(&want)));
    });
    group.bench_function(BenchmarkId::new("manifest_clone", 3_000), |bench| {
        bench.iter(|| black_box(&have).clone());
    });
    let whole = manifest(8_000, 1);
    group.bench_function(BenchmarkId::new("manifest_hash", 8_000), |bench| {
        bench.iter(|| black_box(&whole).hash());
    });
    group.bench_function(BenchmarkId::new("union_hash", 8_000), |bench| {
        bench.iter(|| black_box(&whole).union_hash());
    });
    group.finish();
}

criterion_group!(benches, unions, steps, diffs);
criterion_main!(benches);
