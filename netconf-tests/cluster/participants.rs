//! Members with participants of their own: each votes on every change (PROTOCOL L5, L6). They live in this process.

use crate::support::agent::{program, root, standard_modules};
use crate::support::cluster::free_address;
use crate::support::routes::{routes, shown};
use crate::support::session::{Session, Speaks};
use crate::support::wire::Wire;
use quorate::{Agent, Alarm, Change, Participant, Refusal, Registration, RunningAgent};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};

/// What a participant was told.
type Told = Arc<Mutex<Vec<String>>>;

/// Says no to entry 13 if it is the one that does so.
struct Gate {
    refuses: bool,
    told: Told,
}

impl Gate {
    fn note(&self, what: String) {
        self.told.lock().unwrap().push(what);
    }
}

impl Participant for Gate {
    fn prepare(&mut self, change: &Change) -> Result<(), Refusal> {
        self.note("prepare".to_owned());
        let entry = "/bench-routes:routes/route[id='0000013']/next-hop";
        match change.after().leaf(entry) {
            Some(_) if self.refuses => Err(Refusal("13 is taken".to_owned())),
            Some(_) | None => Ok(()),
        }
    }

    fn commit(&mut self, change: &Change) -> Result<(), Alarm> {
        self.note(format!("commit {}", change.after().revision()));
        Ok(())
    }

    fn abort(&mut self) {
        self.note("abort".to_owned());
    }
}

struct Member {
    directory: tempfile::TempDir,
    address: String,
    agent: Option<RunningAgent>,
    told: Told,
}

impl Member {
    fn start(number: usize, join: &[&str]) -> Self {
        standard_modules();
        let (directory, address) = (tempfile::tempdir().unwrap(), free_address());
        let told = Told::default();
        let path = |name: &str| directory.path().join(name).display().to_string();
        let (name, data, socket) = (format!("node-{number}"), path("data"), path("socket"));
        let (models, standard) = (root().join("netconf-tests/yang"), root().join("yang/standard"));
        let (models, standard) = (models.display().to_string(), standard.display().to_string());
        std::fs::write(path("quorate.toml"), "").unwrap();
        let file = path("quorate.toml");
        let flags = [
            ["--config", &file],
            ["--data-dir", &data],
            ["--unix", &socket],
            ["--ssh", "off"],
            ["--peer", &address],
            ["--node-name", &name],
            ["--yang-dir", &models],
            ["--yang-dir", &standard],
            ["--module", "bench-routes"],
        ];
        let arguments = flags.as_flattened().iter().chain(join).map(OsString::from);
        let gate = Gate { refuses: number == 2, told: Arc::clone(&told) };
        let registration = Registration::new(format!("gate-{number}")).path("/bench-routes:routes");
        let agent = Agent::from_arguments(arguments).unwrap().participant(registration, gate);
        let agent = Some(agent.start().unwrap());
        Self { directory, address, agent, told }
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("socket")
    }

    fn order(&self, words: &[&str]) -> String {
        let mut command = Command::new(program());
        command.arg("cluster").args(words).arg("--socket").arg(self.socket());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn session(&self) -> Session {
        Session::open(Wire::unix(&self.socket()).unwrap(), Speaks::Base11)
    }
}

#[test]
fn a_participant_on_every_member_votes_and_one_no_aborts_for_all() {
    let mut members = vec![Member::start(0, &[])];
    members[0].order(&["init", "--name", "lab"]);
    for number in 1..3 {
        let (address, token) = (members[0].address.clone(), members[0].order(&["token"]));
        members.push(Member::start(number, &["--join", &address, "--token", &token]));
    }
    let mut session = members[1].session();
    let refused = session.edit("running", &routes([13])).fails_with("operation-failed");
    assert_eq!(refused.app_tag.as_deref(), Some("quorate:refused"), "{}", refused.message);
    let named = ["member", "participant", "reason"].map(|what| refused.info(what).unwrap());
    assert_eq!(named, ["node-2", "gate-2", "13 is taken"]);
    session.edit("running", &routes([12])).ok();
    for member in &members {
        let mut session = member.session();
        assert_eq!(shown(&mut session), BTreeSet::from([12]));
        session.close();
    }
    session.close();
    // A participant's thread has done everything when its agent has ended.
    for member in &mut members {
        member.agent.take().unwrap().stop().unwrap();
    }
    for (number, member) in members.iter().enumerate() {
        let told = member.told.lock().unwrap();
        // The no of another one may come before its own turn.
        let (refused, taken) = told.split_at(told.len().saturating_sub(2));
        assert_eq!(taken, ["prepare", "commit 1"], "gate-{number}");
        let prepared = refused.iter().any(|word| word == "prepare");
        assert!(prepared || number != 2, "{told:?}");
        assert!(!prepared || refused == ["prepare", "abort"], "gate-{number}: {told:?}");
    }
}
