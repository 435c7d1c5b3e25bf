//! The identity of a driver, and the facts that their PC knows of a folder, do not depend on how its path is spelled.

use liverysync::{IdentityFile, LiveryList};

use super::*;

/// Returns the message with which a client introduces itself.
async fn hello_of(builder: ClientBuilder) -> Hello {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let client = builder.port(port).start().await.unwrap();
    let hello = tokio::task::spawn_blocking(move || hello_to(&listener)).await.unwrap();
    client.stop().await;
    hello
}

async fn key_said_by(builder: ClientBuilder) -> Option<String> {
    hello_of(builder).await.member_key
}

/// A PC with folders for its user's identity and state.
struct Pc {
    root: TempDir,
}

impl Pc {
    fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn folder(&self, name: &str) -> PathBuf {
        fs::create_dir_all(self.path(name)).unwrap();
        self.path(name)
    }

    fn client(&self, liveries: &str) -> ClientBuilder {
        let builder = Client::builder("127.0.0.1").liveries(self.path(liveries));
        builder.state(self.path("state")).identity(self.path("config/identity.json"))
    }

    fn ignored(&self, liveries: &str) -> LiveryList {
        LiveryList::ignored(&self.path("state"), &self.path(liveries)).unwrap()
    }

    async fn sync(&self, league: &League, liveries: &str) -> SyncReport {
        let client = self.client(liveries).port(league.port).start().await.unwrap();
        let report = client.sync().timeout(PATIENCE).await.unwrap();
        client.stop().await;
        report
    }
}

#[tokio::test]
async fn a_client_is_the_same_member_at_every_start_and_in_every_folder() {
    let pc = Pc::new();
    pc.folder("Aoi");
    pc.folder("Elsewhere");
    let key = key_said_by(pc.client("Aoi")).await;
    assert!(key.as_ref().unwrap().parse::<MemberKey>().is_ok());
    assert_eq!(key_said_by(pc.client("Aoi")).await, key);
    assert_eq!(key_said_by(pc.client("Aoi/")).await, key);
    assert_eq!(key_said_by(pc.client("Elsewhere")).await, key);
    // Losing the state folder does not lose who one is.
    fs::remove_dir_all(pc.path("state")).unwrap();
    assert_eq!(key_said_by(pc.client("Aoi")).await, key);
    let without_state = Client::builder("127.0.0.1").liveries(pc.path("Aoi"));
    let identity = pc.path("config/identity.json");
    assert_eq!(key_said_by(without_state.clone().identity(&identity)).await, key);
    // A client without both is anonymous, and another identity is another member.
    assert_eq!(key_said_by(without_state).await, None);
    assert_ne!(key_said_by(pc.client("Aoi").identity(pc.path("other.json"))).await, key);
    // The host's own key wins.
    let own = MemberKey::from_bytes([7; 32]);
    assert_eq!(key_said_by(pc.client("Aoi").member_key(own.clone())).await, Some(own.to_hex()));
}

#[tokio::test]
async fn a_dry_run_makes_no_identity() {
    let pc = Pc::new();
    pc.folder("Aoi");
    assert_eq!(key_said_by(pc.client("Aoi").dry_run(true)).await, None);
    assert!(!pc.path("config").exists() && !pc.path("state").exists());
}

#[tokio::test]
async fn a_damaged_identity_makes_nobody_a_new_member() {
    let pc = Pc::new();
    pc.folder("Aoi");
    pc.folder("config");
    fs::write(pc.path("config/identity.json"), "{").unwrap();
    for dry_run in [false, true] {
        let error = pc.client("Aoi").dry_run(dry_run).start().await.unwrap_err();
        let ClientError::Identity { path, source } = error else { panic!("{error}") };
        assert_eq!(source.kind(), std::io::ErrorKind::InvalidData);
        assert_eq!(fs::read_to_string(path).unwrap(), "{");
    }
}

#[tokio::test]
async fn several_keys_of_an_earlier_version_are_sent_as_former_ones() {
    let pc = Pc::new();
    pc.folder("Aoi");
    let clients = pc.folder("state/clients");
    let keys = [1, 2, 3].map(|digit| MemberKey::from_bytes([digit; 32]).to_hex());
    for (number, key) in keys.iter().enumerate() {
        let path = clients.join(format!("0000000{number}.key"));
        fs::write(&path, format!("{key}\n")).unwrap();
        // The second one is the last that was used.
        let day = [1, 3, 2][number];
        let date = std::time::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + day * 86_400);
        fs::File::options().write(true).open(&path).unwrap().set_modified(date).unwrap();
    }
    let hello = hello_of(pc.client("Aoi")).await;
    assert_eq!(hello.member_key.as_ref(), Some(&keys[1]));
    assert_eq!(hello.former_keys, [keys[0].clone(), keys[2].clone()]);
    let member = IdentityFile::new(pc.path("config/identity.json")).member().unwrap();
    let key = keys[1].parse().unwrap();
    assert_eq!(member, Some(liverysync::MemberId::of(&key)));
}

/// Shares three files, and ignores a livery that Bruno has.
/// Bruno goes on.
async fn shared(league: &League, pc: &Pc, liveries: &str) -> Client {
    for path in ["77 Iris/decals.png", "77 Iris/decals.json", "904/decals.png"] {
        write(&pc.path(liveries).join(path), r#"{"clearCoat": 1}"#);
    }
    pc.ignored(liveries).add(&["Ugly".to_owned()]).unwrap();
    let bruno = league.driver("Bruno", &[("Ugly/decals.png", "ugly")]).await;
    bruno.sync().timeout(PATIENCE).await.unwrap();
    pc.sync(league, liveries).await;
    bruno
}

#[tokio::test]
async fn a_moved_folder_keeps_its_ignored_liveries_and_synced_versions() {
    let (league, pc) = (League::start().await, Pc::new());
    let bruno = shared(&league, &pc, "Documents/Liveries").await;
    pc.folder("OneDrive/Documents");
    fs::rename(pc.path("Documents/Liveries"), pc.path("OneDrive/Documents/Liveries")).unwrap();
    write(&pc.path("OneDrive/Documents/Liveries/904/decals.png"), "second paint");
    // Before a client has started there, too.
    let globs = pc.ignored("OneDrive/Documents/Liveries").read().unwrap();
    assert!(globs.covers("Ugly"));

    let report = pc.sync(&league, "OneDrive/Documents/Liveries").await;
    assert_eq!((report.files, report.conflicts.len(), report.withheld), (3, 0, 1), "{report:?}");
    assert!(!pc.path("OneDrive/Documents/Liveries/Ugly").exists());
    bruno.sync().timeout(PATIENCE).await.unwrap();
    assert_eq!(league.read("Bruno/904/decals.png").as_deref(), Some("second paint"));
    // The files of before are gone: the folder has moved.
    let states = fs::read_dir(pc.path("state/clients")).unwrap();
    let names = states.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names: std::collections::BTreeSet<_> =
        names.map(|name| name.split('.').next().unwrap().to_owned()).collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

#[tokio::test]
async fn a_copy_of_a_folder_in_use_is_another_folder() {
    let (league, pc) = (League::start().await, Pc::new());
    let _bruno = shared(&league, &pc, "Liveries").await;
    for path in ["77 Iris/decals.png", "77 Iris/decals.json", "904/decals.png"] {
        write(&pc.path("Copy").join(path), r#"{"clearCoat": 1}"#);
    }
    assert!(!pc.ignored("Copy").read().unwrap().covers("Ugly"));
    pc.sync(&league, "Copy").await;
    assert!(pc.path("Copy/Ugly/decals.png").exists());
    assert!(pc.ignored("Liveries").read().unwrap().covers("Ugly"));
}

#[cfg(unix)]
#[tokio::test]
async fn a_folder_is_the_same_under_every_spelling() {
    let (league, pc) = (League::start().await, Pc::new());
    let _bruno = shared(&league, &pc, "Liveries").await;
    std::os::unix::fs::symlink(pc.path("Liveries"), pc.path("Link")).unwrap();
    for spelling in ["Liveries/", "Link", "./Liveries/../Liveries"] {
        assert_eq!(pc.ignored(spelling).path(), pc.ignored("Liveries").path(), "{spelling}");
        let report = pc.sync(&league, spelling).await;
        assert_eq!((report.files, report.withheld), (3, 1), "{spelling}");
    }
    assert!(!pc.path("Liveries/Ugly").exists());
}

#[tokio::test]
async fn a_list_that_an_earlier_version_named_after_another_spelling_is_found() {
    let (league, pc) = (League::start().await, Pc::new());
    let clients = pc.folder("state/clients");
    let spelled = pc.folder("Liveries").join("");
    let name = liverysync::ContentHash::of(spelled.as_os_str().as_encoded_bytes());
    fs::write(clients.join(format!("{}.ignore", name.short())), "Ugly\n").unwrap();
    let _bruno = shared(&league, &pc, "Liveries").await;
    assert!(!pc.path("Liveries/Ugly").exists());
    assert!(pc.ignored("Liveries/").read().unwrap().covers("Ugly"));
}

#[tokio::test]
async fn a_client_that_started_before_its_files_had_moved_finds_its_list() {
    let (league, pc) = (League::start().await, Pc::new());
    let _bruno = shared(&league, &pc, "Documents").await;
    let early = pc.folder("OneDrive");
    let client = pc.client("OneDrive").port(closed_port()).start().await.unwrap();
    client.stop().await;
    fs::remove_dir(&early).unwrap();
    fs::rename(pc.path("Documents"), &early).unwrap();
    let report = pc.sync(&league, "OneDrive").await;
    assert_eq!((report.files, report.withheld), (3, 1), "{report:?}");
    assert!(!pc.path("OneDrive/Ugly").exists());
}

#[tokio::test]
async fn the_members_of_an_earlier_version_become_one() {
    let pc = Pc::new();
    let server = server(0).data(pc.path("data")).updates(liverysync::Updates::Owner);
    let server = server.start().await.unwrap();
    let port = server.address().port();
    let sync = async |builder: ClientBuilder| {
        let client = builder.port(port).name("Aoi").start().await.unwrap();
        let report = client.sync().timeout(PATIENCE).await.unwrap();
        client.stop().await;
        report
    };
    // An earlier version made a key for each spelling of the folder.
    let keys = [1, 2].map(|digit| MemberKey::from_bytes([digit; 32]));
    write(&pc.path("Aoi/Iris/decals.png"), "iris");
    let clients = pc.folder("state/clients");
    for (day, key) in keys.iter().enumerate() {
        let builder = Client::builder("127.0.0.1").liveries(pc.path("Aoi"));
        sync(builder.member_key(key.clone())).await;
        let path = clients.join(format!("0000000{day}.key"));
        fs::write(&path, key.to_hex()).unwrap();
        let date =
            std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(86_400 * (1 + day as u64));
        fs::File::options().write(true).open(&path).unwrap().set_modified(date).unwrap();
    }
    let members = || {
        let mut league = liverysync::league::League::open(&pc.path("data")).unwrap();
        let members = league.members().unwrap().into_iter().map(|row| row.member);
        let owners = league.liveries().unwrap().remove(0).owners;
        (members.collect::<Vec<_>>(), owners)
    };
    assert_eq!(members().0.len(), 2);

    assert_eq!(sync(pc.client("Aoi")).await.files, 1);
    let aoi = liverysync::MemberId::of(&keys[1]);
    assert_eq!(members().0, [aoi]);
    write(&pc.path("Aoi/Iris/decals.png"), "second");
    let report = sync(pc.client("Aoi")).await;
    assert_eq!((report.files, report.conflicts.len()), (1, 0));
    assert_eq!(members(), (vec![aoi], vec![aoi]));
    // The server is not told again.
    let file = fs::read_to_string(pc.path("config/identity.json")).unwrap();
    assert!(file.contains(&format!("\"127.0.0.1:{port}\"")), "{file}");
    server.stop().await;
}
