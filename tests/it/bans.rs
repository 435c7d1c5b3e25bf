//! Bans, with a running server and real connections.

use liverysync::league::{Act, League as AdminLeague};

use super::*;

async fn administer(data: &Path, act: Act) {
    let data = data.to_owned();
    let acted = tokio::task::spawn_blocking(move || {
        AdminLeague::open(&data).unwrap().act(&act, PATIENCE).unwrap()
    });
    assert!(acted.await.unwrap().served);
}

#[tokio::test]
async fn a_banned_driver_is_sent_away_and_told_why() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    let server = server(0).data(&data).start().await.unwrap();
    let key = MemberKey::from_bytes([7; 32]);
    let client = || {
        let folder = root.path().join("liveries");
        fs::create_dir_all(&folder).unwrap();
        let builder = Client::builder("127.0.0.1").port(server.address().port());
        builder.liveries(folder).state(root.path().join("state")).member_key(key.clone())
    };
    let (running, mut events) = client().start_with_events().await.unwrap();
    running.sync().timeout(PATIENCE).await.unwrap();
    let member = liverysync::MemberId::of(&key);
    administer(&data, Act::Ban { member }).await;
    let reason = loop {
        if let Event::Disconnected { reason, retry_in } = events.next().await.unwrap() {
            assert!(retry_in > Duration::from_secs(300), "{retry_in:?}");
            break reason;
        }
    };
    assert!(reason.contains("banned"), "{reason}");
    // It fails at once, although the host would wait.
    let error = running.sync().timeout(PATIENCE).await.unwrap_err();
    assert!(error.to_string().contains("banned"), "{error}");
    running.stop().await;
    let act = Act::Retire { liveries: vec!["T".to_owned()], confirmed: true };
    let refused = client().act(&act).await.unwrap_err();
    assert!(liverysync::with_causes(&refused).contains("banned"), "{refused:?}");
    administer(&data, Act::Unban { member }).await;
    let running = client().start().await.unwrap();
    running.sync().timeout(PATIENCE).await.unwrap();
    running.stop().await;
    server.stop().await;
}
