//! `quorate verify`, and starts on data that the models do not fit.

use crate::support::agent::{Agent, Settings};
use crate::support::eventually;
use crate::support::session::edit_config;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Output;

/// Snapshots as often as can be.
const SNAPSHOTS: &str = "[storage]\nsnapshot-log-mib = 1\n";
const ORDERS: u64 = 3;
const SERVERS: u64 = 30;

/// A stopped agent: a snapshot in its directory, and changes in the log behind it.
fn stopped() -> Agent {
    let settings = Settings { file: SNAPSHOTS.to_owned(), ..Settings::default() };
    let mut agent = Agent::start_with(settings);
    let mut session = agent.session();
    // More than a segment of the log holds.
    let first = newest(&agent.path("data"), "snapshot-");
    let long = "x".repeat(6_000_000);
    for n in 0..ORDERS {
        let order = format!("<order xmlns=\"urn:quorate:test\">{n}{long}</order>");
        session.ok(&edit_config("running", "", &order));
    }
    eventually("a snapshot with content, and nothing of the log before it", || {
        let next =
            newest(&agent.path("data"), "snapshot-").filter(|next| Some(next) != first.as_ref());
        next.filter(|_| !agent.path("data/log-0000000000000001").exists())
    });
    for n in 0..SERVERS {
        let server = format!("<server xmlns=\"urn:quorate:test\"><name>s{n:03}</name></server>");
        session.ok(&edit_config("running", "", &server));
    }
    assert!(agent.terminate().success());
    agent
}

/// The last file whose name begins so and that is finished.
fn newest(directory: &Path, prefix: &str) -> Option<PathBuf> {
    let names = std::fs::read_dir(directory)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path());
    let is_it = |path: &PathBuf| {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        name.starts_with(prefix) && !name.ends_with(".tmp")
    };
    names.filter(is_it).max()
}

/// All bytes of a directory.
fn bytes(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = std::fs::read_dir(directory).expect("a directory");
    entries
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let bytes = std::fs::read(&path).expect("a file");
            (path, bytes)
        })
        .collect()
}

/// Runs it, and nothing is changed.
#[track_caller]
fn verify(agent: &Agent, directory: &Path, more: &[&str], status: i32) -> String {
    let before = bytes(directory);
    let Output { status: found, stdout, stderr } = agent.verify(directory, more);
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert_eq!(found.code(), Some(status), "{stdout}{stderr}");
    assert!(bytes(directory) == before, "the directory has changed");
    assert!(!stderr.contains("panicked"), "{stderr}");
    stdout.into_owned()
}

/// A sound directory: what is in it, for people and as JSON.
#[test]
fn a_sound_directory_is_described() {
    let agent = stopped();
    let data = agent.path("data");
    let text = verify(&agent, &data, &[], 0);
    assert!(text.ends_with("It is sound.\n"), "{text}");
    assert!(!text.lines().any(|line| line.starts_with('!')), "{text}");

    let json = verify(&agent, &data, &["--json"], 0);
    let report: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(report["sound"], true);
    assert_eq!(report["findings"], serde_json::json!([]));
    assert_eq!(report["member"]["incarnation"], 1);
    assert_eq!(report["member"]["boots"], 1);
    assert_eq!(report["schema"]["stored"], report["schema"]["given"]);
    assert_eq!(report["revision"], ORDERS + SERVERS);
    let running = &report["datastores"][0];
    assert_eq!(running["name"], "running");
    // The texts, and of each server the entry and its name.
    assert_eq!(running["instances"], ORDERS + 2 * SERVERS);
    let number = |value: &serde_json::Value| value.as_u64().expect("a number");
    let snapshot = number(&report["snapshot"]["index"]);
    assert_eq!(number(&report["log"]["first"]), snapshot + 1);
    assert!(number(&report["log"]["last"]) >= snapshot + SERVERS, "{json}");
    assert_eq!(report["snapshot"]["voters"], serde_json::json!([1]));
    let files = bytes(&data);
    let lock = data.join("lock");
    let total: usize =
        files.iter().filter(|(path, _)| **path != lock).map(|(_, it)| it.len()).sum();
    assert_eq!(number(&report["bytes"]), total as u64);
}

/// What keeps anything from being checked is no verdict.
#[test]
fn what_cannot_be_checked_is_no_verdict() {
    let mut agent = Agent::start();
    let data = agent.path("data");
    let refused = |directory: &Path, more: &[&str], why: &str| {
        let output = agent.verify(directory, more);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(output.stdout.is_empty());
        assert!(said.contains(why), "{why} is not in {said}");
    };
    refused(&data, &[], &format!("is used by process {}", agent.pid()));
    let missing = agent.path("missing");
    refused(&missing, &[], "missing");
    assert!(!missing.exists());
    refused(&data, &["--module", "not-there"], "not-there");
    refused(&data, &["--jason"], "--jason");
    assert!(agent.terminate().success());
    verify(&agent, &data, &[], 0);
}

/// A way to damage a directory, the exit status then, and what is said.
type Damage = (&'static str, fn(&Path), i32, &'static [&'static str]);

/// Each kind of damage is found and named; a write that was torn when the agent ended is none.
#[test]
fn damage_is_found_and_named() {
    let agent = stopped();
    let data = agent.path("data");
    let damages: [Damage; 7] = [
        ("torn tail", tear_tail, 0, &["log-", "unfinished write", "It is sound."]),
        (
            "a byte in the middle of the log",
            |data| flip(&newest(data, "log-").expect("a log"), b"s010"),
            1,
            &["! log-", "is damaged at byte", "restore a backup"],
        ),
        (
            "a byte in the snapshot",
            |data| flip(&newest(data, "snapshot-").expect("a snapshot"), b"xxxxxxxx"),
            1,
            &["! ", "snapshot-", "damaged"],
        ),
        ("no snapshot", |data| remove_all(data, "snapshot-"), 1, &["! log-", "snapshot ends at 0"]),
        (
            "no log",
            |data| remove_all(data, "log-"),
            1,
            &["! there is a snapshot and no file of the log"],
        ),
        (
            "no identity",
            |data| remove_all(data, "identity"),
            1,
            &["! the file identity is missing"],
        ),
        (
            "a damaged identity",
            |data| {
                let file = data.join("identity");
                let mut bytes = std::fs::read(&file).expect("a file");
                *bytes.last_mut().expect("bytes") ^= 1;
                std::fs::write(file, bytes).expect("a file");
            },
            1,
            &["! the file identity is damaged"],
        ),
    ];
    for (what, damage, status, named) in damages {
        let copy = agent.path("copy");
        std::fs::create_dir(&copy).expect("a directory");
        for (path, bytes) in bytes(&data) {
            std::fs::write(copy.join(path.file_name().expect("a name")), bytes).expect("a file");
        }
        damage(&copy);
        let text = verify(&agent, &copy, &[], status);
        for part in named {
            assert!(text.contains(part), "{what}: {part} is not in\n{text}");
        }
        let found = text.lines().filter(|line| line.starts_with("! ")).count();
        assert_eq!(found, usize::try_from(status).expect("0 or 1"), "{what}:\n{text}");
        std::fs::remove_dir_all(copy).expect("removed");
    }
}

/// The last record as if its last sector had not arrived.
fn tear_tail(data: &Path) {
    let file = newest(data, "log-").expect("a log");
    let mut bytes = std::fs::read(&file).expect("a file");
    let end = bytes.iter().rposition(|byte| *byte != 0).expect("a record") + 1;
    bytes[end - 8..end].fill(0);
    std::fs::write(file, bytes).expect("a file");
}

/// Flips a bit in the first place of the file where this stands.
fn flip(file: &Path, place: &[u8]) {
    let mut bytes = std::fs::read(file).expect("a file");
    let at = bytes.windows(place.len()).position(|window| window == place).expect("the place");
    bytes[at] ^= 1;
    std::fs::write(file, bytes).expect("a file");
}

/// An earlier one may still be there.
fn remove_all(data: &Path, prefix: &str) {
    while let Some(file) = newest(data, prefix) {
        std::fs::remove_file(file).expect("removed");
    }
}

/// Models that the data do not fit: verification and start name the paths and the way out, nothing is lost, and with the
/// earlier models all is there. Models that fit are no fault.
#[test]
fn models_that_do_not_fit_are_named_with_paths_and_a_way_out() {
    let model = |leafs: &str| {
        format!(
            "module changing {{ yang-version 1.1; namespace \"urn:changing\"; prefix c;\n\
             container c {{ {leafs} }} }}\n"
        )
    };
    let settings = Settings { modules: Some(vec!["changing".to_owned()]), ..Settings::default() };
    let mut agent = Agent::stopped(settings);
    let models = agent.path("models");
    std::fs::create_dir(&models).expect("a directory");
    let write = |text: &str| std::fs::write(models.join("changing.yang"), text).expect("a file");
    let directory = models.to_string_lossy().into_owned();
    agent = agent.with_arguments(&["--yang-dir", &directory]);
    let more = ["--yang-dir", &directory];
    let earlier = model("leaf a { type string; } leaf b { type int32; }");
    write(&earlier);
    agent.run();
    let content = "<c xmlns=\"urn:changing\"><a>long</a><b>500</b></c>";
    agent.session().edit("running", content).ok();
    assert!(agent.terminate().success());
    let data = agent.path("data");

    for (later, paths) in [
        (
            "leaf a { type string { length 1..2; } } leaf b { type int32; must '. < 100'; }",
            &["/changing:c/a"][..],
        ),
        (
            "leaf a { type string; } leaf b { type int32; must '. < 100'; must '. > 900'; }",
            &["/changing:c/b"],
        ),
        ("leaf b { type int32; }", &["/changing:c/changing:a"]),
        (
            "leaf a { type string; } leaf b { type string; } leaf m { type string; mandatory true; }",
            &["/changing:c"],
        ),
    ] {
        write(&model(later));
        let text = verify(&agent, &data, &more, 1);
        let Err(refused) = agent.try_run() else { panic!("started with {later}") };
        assert_eq!(refused.status.code(), Some(1));
        let line = refused.log.lines().find(|line| line.starts_with("quorate: ")).expect("a line");
        for part in
            paths.iter().chain(&["does not fit the models", "start with the earlier models"])
        {
            assert!(text.contains(part), "{part} is not in\n{text}");
            assert!(line.contains(part), "{part} is not in\n{line}");
        }
    }

    write(&earlier);
    verify(&agent, &data, &more, 0);
    agent.run();
    agent.session().holds("running", content);
    assert!(agent.terminate().success());
    write(&model("leaf a { type string; } leaf b { type int32; } leaf new { type string; }"));
    let text = verify(&agent, &data, &more, 0);
    assert!(text.contains("the stored configuration fits them"), "{text}");
    agent.run();
    agent.session().holds("running", content);
}
