//! Planning who uploads what of 8,000 files that somebody lacks.

#![allow(missing_docs, reason = "criterion's macro writes a public function")]
#![expect(clippy::unwrap_used, reason = "a bench stops at what it did not expect")]

use std::{collections::BTreeMap, hint::black_box};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use liverysync_core::{
    hash::Content,
    path::{Extensions, RelPath},
    schedule::{Load, Want, plan},
    union::PeerId,
};

const FILES: usize = 8_000;
const FILES_PER_SESSION: usize = 50;

/// Four files to a livery; a fifth of the PCs holds all of them, the others every second to fifth livery.
fn wants(sources: u64) -> Vec<Want> {
    let want = |number: usize| {
        let name = ["decals.png", "decals.json", "sponsors.png", "sponsors.json"][number % 4];
        let path = format!("#{}_Team/{name}", number / 4);
        let key = RelPath::parse(&path, &Extensions::default()).unwrap().key().clone();
        let holds = |member: &u64| (number as u64 / 4).is_multiple_of(member % 5 + 1);
        let sources: Vec<_> = (1..=sources).filter(holds).map(PeerId).collect();
        Want {
            key,
            content: Content { size: 7_600, ..Content::of(b"") },
            copies: sources.len(),
            sources,
        }
    };
    (0..FILES).map(want).collect()
}

fn plans(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("schedule");
    group.sample_size(10);
    for sources in [10, 100] {
        let wants = wants(sources);
        let load = Load { free: 4, rate: 0 };
        let loads: BTreeMap<_, _> = (0..=sources).map(|n| (PeerId(n), load)).collect();
        let id = BenchmarkId::new("plan_8000_wants_from_sources", sources);
        group.bench_function(id, |bench| {
            bench.iter(|| plan(black_box(&wants), &loads, FILES_PER_SESSION));
        });
    }
    group.finish();
}

criterion_group!(benches, plans);
criterion_main!(benches);
