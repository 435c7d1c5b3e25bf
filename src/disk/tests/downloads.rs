//! Tests of downloads into the stage, piece by piece.

use super::*;

/// The sender of a download's bytes, and the receiver of the credit.
struct Line {
    stage_queue: StageQueue,
    back: CreditReturn,
    given_back: std::sync::mpsc::Receiver<u64>,
}

impl Line {
    fn of(rig: &Rig) -> Self {
        let (give, given_back) = std::sync::mpsc::channel();
        let back: CreditReturn = Arc::new(move |bytes| give.send(bytes).unwrap());
        Self { stage_queue: rig.disk.stage_queue(), back, given_back }
    }

    fn send(&self, transfer: u32, offset: u64, bytes: &'static [u8], last: bool) {
        self.send_body(transfer, offset, Bytes::from_static(bytes).into(), last);
    }

    fn send_body(&self, transfer: u32, offset: u64, body: ChunkBody, last: bool) {
        let transfer = TransferId(transfer);
        let credit = Credit::new(body.len() as u64, &self.back);
        self.stage_queue.send_piece(Data { transfer, offset, last, body }, credit);
    }

    /// Waits for this many bytes of credit, and checks that there are no more.
    fn gets_back(&self, bytes: u64) {
        let mut sum = 0;
        while sum < bytes {
            sum += self.given_back.recv_timeout(std::time::Duration::from_secs(10)).unwrap();
        }
        assert_eq!((sum, self.given_back.try_recv().ok()), (bytes, None));
    }
}

impl Rig {
    fn receive(&mut self, stage: StageId, whole: &[u8], transfer: u32) -> OpId {
        self.next += 1;
        let (content, transfer) = (Content::of(whole), TransferId(transfer));
        self.disk.request(OpId(self.next), DiskRequest::Receive { stage, content, transfer });
        OpId(self.next)
    }

    fn received(&mut self, expected: OpId) -> Result<(), DiskFault> {
        match self.outcomes.blocking_recv().unwrap() {
            (op, DiskOutcome::Received(result)) if op == expected => result,
            other => panic!("{other:?}"),
        }
    }

    fn parked(&mut self, stage: StageId) -> u64 {
        match self.request(DiskRequest::Park(stage)) {
            DiskOutcome::Parked(bytes) => bytes,
            other => panic!("{other:?}"),
        }
    }

    fn staged(&self) -> Vec<Vec<u8>> {
        self.tree().into_iter().map(|(_, bytes)| bytes).collect()
    }
}

#[test]
fn files_are_downloaded_whole_in_pieces_and_empty() {
    let mut rig = Rig::new();
    let line = Line::of(&rig);
    let op = rig.receive(StageId(1), b"livery", 10);
    line.send(10, 0, b"livery", true);
    assert_eq!(rig.received(op), Ok(()));

    let (a, b) =
        (rig.receive(StageId(2), b"two files", 11), rig.receive(StageId(3), b"at once", 12));
    line.send(11, 0, b"two ", false);
    line.send(12, 0, b"at ", false);
    line.send(11, 4, b"files", false);
    line.send(11, 9, b"", true);
    assert_eq!(rig.received(a), Ok(()));
    line.send(12, 3, b"once", true);
    assert_eq!(rig.received(b), Ok(()));

    let empty = rig.receive(StageId(4), b"", 13);
    line.send(13, 0, b"", true);
    assert_eq!(rig.received(empty), Ok(()));
    line.gets_back(6 + 9 + 7);

    let files = ["a.png", "b.png", "c.png", "d.png"].into_iter().zip(1..).map(|(name, stage)| {
        let (stage, path) = (StageId(stage), path(name));
        InstallFile { stage, path, mtime: None, replaces: None, keep_as: None }
    });
    assert!(rig.install(files.collect(), &[]).iter().all(Result::is_ok));
    assert_eq!(rig.staged(), [&b"livery"[..], b"two files", b"at once", b""]);
}

#[test]
fn a_large_file_is_downloaded() {
    static LARGE: [u8; 3 << 20] = [7; 3 << 20];
    let mut rig = Rig::new();
    let line = Line::of(&rig);
    let op = rig.receive(StageId(1), &LARGE, 1);
    for (number, piece) in LARGE.chunks(1 << 20).enumerate() {
        line.send(1, (number << 20) as u64, piece, number == 2);
    }
    assert_eq!(rig.received(op), Ok(()));
    assert!(rig.staged() == [LARGE.to_vec()]);
}

#[test]
fn a_corrupt_download_is_refused_and_removed() {
    type Pieces = &'static [(u64, &'static [u8], bool)];
    let cases: [(&str, Pieces); 4] = [
        ("wrong bytes", &[(0, b"liv", false), (3, b"erX", true)]),
        ("gap: expected", &[(0, b"liv", false), (4, b"ry", true)]),
        ("more bytes than", &[(0, b"liv", false), (3, b"ery!", false), (7, b"!", true)]),
        ("it ended after 3", &[(0, b"liv", true)]),
    ];
    let mut rig = Rig::new();
    let line = Line::of(&rig);
    for ((text, pieces), number) in cases.into_iter().zip(1..) {
        let op = rig.receive(StageId(u64::from(number)), b"livery", number);
        for (offset, bytes, last) in pieces {
            line.send(number, *offset, bytes, *last);
        }
        let fault = rig.received(op).unwrap_err();
        assert_eq!(fault.kind, DiskFaultKind::Corrupt);
        assert!(fault.message.contains(text), "{fault}");
        line.gets_back(pieces.iter().map(|(_, bytes, _)| bytes.len() as u64).sum());
        assert_eq!(rig.staged(), Vec::<Vec<u8>>::new());
    }
}

#[test]
fn a_compressed_download_is_unpacked_and_a_damaged_one_is_refused() {
    let mut rig = Rig::new();
    let line = Line::of(&rig);
    let whole = b"livery ".repeat(100);
    let frame = Bytes::copy_from_slice(Encoder::default().pack(&whole[7..], 693).unwrap());
    let op = rig.receive(StageId(1), &whole, 1);
    line.send(1, 0, b"livery ", false);
    line.send_body(1, 7, ChunkBody::zstd(frame.slice(..frame.len() - 1)), true);
    assert_eq!(rig.received(op).unwrap_err().kind, DiskFaultKind::Corrupt);
    line.gets_back(700);
    let op = rig.receive(StageId(2), &whole, 2);
    line.send(2, 0, b"livery ", false);
    line.send_body(2, 7, ChunkBody::zstd(frame), true);
    assert_eq!(rig.received(op), Ok(()));
    line.gets_back(700);
    assert_eq!(rig.staged(), [whole]);
}

#[test]
fn a_file_that_cannot_be_written_is_reported_once() {
    let mut rig = Rig::new();
    let line = Line::of(&rig);
    rig.write(".tmp", b"the driver's own");
    let op = rig.receive(StageId(1), b"livery", 1);
    line.send(1, 0, b"liv", false);
    line.send(1, 3, b"ery", true);
    assert_eq!(rig.received(op).unwrap_err().kind, DiskFaultKind::Other);
    line.gets_back(6);
    assert_eq!(rig.parked(StageId(1)), 0);
}

#[test]
fn a_parked_download_resumes_where_it_stopped() {
    let mut rig = Rig::new();
    let line = Line::of(&rig);
    rig.receive(StageId(1), b"livery", 10);
    line.send(10, 0, b"liv", false);
    assert_eq!(rig.parked(StageId(1)), 3);
    line.send(10, 3, b"late", false);
    line.gets_back(7);

    let op = rig.receive(StageId(1), b"livery", 10);
    line.send(10, 3, b"ery", true);
    assert_eq!(rig.received(op), Ok(()));
    assert_eq!(rig.staged(), [b"livery"]);
    assert_eq!(rig.parked(StageId(1)), 0, "it is whole, and that was said before");
}

#[test]
fn another_content_starts_over_and_a_discarded_one_is_removed() {
    let mut rig = Rig::new();
    let line = Line::of(&rig);
    rig.receive(StageId(1), b"livery", 10);
    line.send(10, 0, b"liv", false);
    assert_eq!(rig.parked(StageId(1)), 3);
    let op = rig.receive(StageId(1), b"other", 11);
    line.send(11, 0, b"other", true);
    assert_eq!(rig.received(op), Ok(()));
    assert_eq!(rig.staged(), [b"other"]);

    rig.receive(StageId(2), b"livery", 12);
    line.send(12, 0, b"liv", false);
    rig.request(DiskRequest::Discard(StageId(2)));
    line.send(12, 3, b"ery", true);
    line.gets_back(3 + 5 + 3 + 3);
    assert_eq!(rig.staged(), [b"other"]);
}

#[test]
fn an_unexpected_piece_returns_its_credit() {
    let rig = Rig::new();
    let line = Line::of(&rig);
    line.send(1, 0, b"livery", true);
    line.gets_back(6);
    assert_eq!(rig.staged(), Vec::<Vec<u8>>::new());
}

#[test]
fn an_incomplete_download_is_removed_at_the_end() {
    let mut rig = Rig::new();
    let line = Line::of(&rig);
    rig.receive(StageId(1), b"livery", 1);
    rig.receive(StageId(2), b"livery", 2);
    line.send(1, 0, b"liv", false);
    line.send(2, 0, b"liv", false);
    assert_eq!(rig.parked(StageId(2)), 3);
    let Rig { root, disk, .. } = rig;
    // The link may still have a clone of the queue.
    disk.finish();
    line.send(1, 3, b"ery", true);
    line.gets_back(3 + 3 + 3);
    assert_eq!(fs::read_dir(root.path().join(".tmp")).unwrap().count(), 0);
}

#[test]
fn staged_files_are_removed_when_the_client_stops() {
    let mut rig = Rig::new();
    let line = Line::of(&rig);
    let op = rig.receive(StageId(1), b"whole", 1);
    line.send(1, 0, b"whole", true);
    assert_eq!(rig.received(op), Ok(()));
    rig.write(".tmp/another-1.part", b"of another run");
    let Rig { disk, root, .. } = rig;
    disk.finish();
    let left = fs::read_dir(root.path().join(".tmp")).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["another-1.part"]);
}
