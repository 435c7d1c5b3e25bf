//! A store whose disk fails.
#![cfg(unix)]

use super::*;

/// Returns the file of the only content in the store.
fn blob(data: &Path) -> PathBuf {
    let only = |folder: &Path| fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    only(&only(&data.join("blobs")))
}

#[tokio::test]
async fn a_content_that_cannot_be_read_is_kept_and_sent_later() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    let (server, mut events) = server(0).data(&data).start_with_events().await.unwrap();
    let client = |name: &str| {
        let folder = root.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        let builder = Client::builder("127.0.0.1").port(server.address().port());
        builder.liveries(folder).name(name)
    };
    write(&root.path().join("Aoi/T/decals.png"), "red");
    let author = client("Aoi").start().await.unwrap();
    author.sync().timeout(PATIENCE).await.unwrap();
    author.stop().await;

    let (path, aside) = (blob(&data), root.path().join("aside"));
    fs::rename(&path, &aside).unwrap();
    // Nobody can read such a loop, not even root, and yet it is there.
    std::os::unix::fs::symlink(&path, &path).unwrap();
    let late = client("Ben").start().await.unwrap();
    loop {
        if let ServerEvent::StoreFault { .. } = events.next().await.unwrap() {
            break;
        }
    }
    fs::remove_file(&path).unwrap();
    fs::rename(&aside, &path).unwrap();
    late.sync().timeout(PATIENCE).await.unwrap();
    assert_eq!(fs::read_to_string(root.path().join("Ben/T/decals.png")).unwrap(), "red");
    late.stop().await;
    server.stop().await;
}
