//! Damaged files that the server finds in its store.

use super::*;

/// A picture of one pixel.
fn png() -> Vec<u8> {
    let header = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0crc!";
    let end = b"\0\0\0\0IEND\xae\x42\x60\x82";
    [&header[..], &[7; 200_000], end].concat()
}

#[tokio::test]
async fn a_damaged_file_of_a_newcomer_replaces_nothing() {
    let root = tempfile::tempdir().unwrap();
    let (server, mut events) = server(0).start_with_events().await.unwrap();
    let whole = png();
    let client = |name: &str, bytes: &[u8]| {
        let folder = root.path().join(name);
        fs::create_dir_all(folder.join("T")).unwrap();
        fs::write(folder.join("T/decals.png"), bytes).unwrap();
        let builder = Client::builder("127.0.0.1").port(server.address().port());
        builder.liveries(folder).name(name)
    };
    let author = client("Aoi", &whole).start().await.unwrap();
    author.sync().timeout(PATIENCE).await.unwrap();
    for (name, damaged) in [
        ("cut off", &whole[..150_000]),
        ("small", &whole[..50]),
        ("zeros", &[0; 70_000]),
        ("empty", b""),
    ] {
        let newcomer = client(name, damaged).start().await.unwrap();
        let published = loop {
            if let ServerEvent::Damaged { path, published, .. } = events.next().await.unwrap() {
                assert_eq!(path.as_str(), "T/decals.png");
                break published;
            }
        };
        assert!(!published, "{name}");
        newcomer.stop().await;
    }
    let report = author.sync().timeout(PATIENCE).await.unwrap();
    assert_eq!((report.files, report.conflicts.len()), (1, 0));
    assert_eq!(fs::read(root.path().join("Aoi/T/decals.png")).unwrap(), whole);
    author.stop().await;
    server.stop().await;
}
