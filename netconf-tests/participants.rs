//! Participants of an embedding application (the transaction engine's hooks), seen from the wire.

use crate::support::agent::root;
use crate::support::session::{Session, Speaks, edit_config};
use crate::support::wire::Wire;
use quorate::{
    Agent, Alarm, Change, Configuration, ItemKind, Participant, Refusal, Registration, RunningAgent,
};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the participants saw, in the order in which they saw it.
type Seen = Arc<Mutex<Vec<String>>>;

/// Refuses `no-validate` and `no-prepare`, panics at `panic`, sleeps at `slow`, fails to commit `alarm`, and sets the
/// description to `amended` where it is `amend`.
struct Recorder {
    name: &'static str,
    seen: Seen,
}

impl Recorder {
    fn saw(&self, what: &str) {
        self.seen.lock().unwrap().push(format!("{} {what}", self.name));
    }

    fn value(change: &Change) -> String {
        change
            .after()
            .leaf("/ietf-interfaces:interfaces/interface[name='a']/description")
            .unwrap_or_default()
    }
}

impl Participant for Recorder {
    fn start(&mut self, configuration: &Configuration) {
        self.saw(&format!("start {} {}", configuration.revision(), configuration.xml().len() > 1));
    }

    fn rewrite(&mut self, change: &Change) -> Result<Option<String>, Refusal> {
        let amended = "<interfaces xmlns=\"urn:ietf:params:xml:ns:yang:ietf-interfaces\"><interface>\
            <name>a</name><description>amended</description></interface></interfaces>";
        Ok((Self::value(change) == "amend").then(|| amended.to_owned()))
    }

    fn validate(&mut self, change: &Change) -> Result<(), Refusal> {
        self.saw("validate");
        match Self::value(change).as_str() {
            "no-validate" => Err(Refusal("not like this".to_owned())),
            "panic" => panic!("as the test asked"),
            _ => Ok(()),
        }
    }

    fn prepare(&mut self, change: &Change) -> Result<(), Refusal> {
        self.saw("prepare");
        match Self::value(change).as_str() {
            "no-prepare" if self.name == "second" => Err(Refusal("no room".to_owned())),
            "slow" => {
                std::thread::sleep(Duration::from_millis(2_300));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn commit(&mut self, change: &Change) -> Result<(), Alarm> {
        let items = change.items();
        let leafs = items.iter().filter_map(|item| item.new.as_ref().or(item.old.as_ref()));
        let texts: Vec<&str> = leafs.map(String::as_str).collect();
        self.saw(&format!("commit {} {}", change.after().revision(), texts.join(",")));
        assert!(items.iter().all(|item| item.path.starts_with("/ietf-interfaces:interfaces")));
        assert!(items.iter().all(|item| item.kind != ItemKind::Moved));
        if Self::value(change) == "alarm" {
            return Err(Alarm("the hardware is gone".to_owned()));
        }
        Ok(())
    }

    fn abort(&mut self) {
        self.saw("abort");
    }
}

struct Embedded {
    directory: tempfile::TempDir,
    agent: Option<RunningAgent>,
    seen: Seen,
}

impl Embedded {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut embedded = Self { directory, agent: None, seen: Seen::default() };
        embedded.run();
        embedded
    }

    fn run(&mut self) {
        crate::support::agent::standard_modules();
        let standard = root().join("yang/standard");
        let path = |name: &str| self.directory.path().join(name);
        let file = format!(
            "data-dir = {:?}\nyang-dirs = [{standard:?}]\nmodules = [\"ietf-interfaces\", \"iana-if-type\"]\n\
             [ssh]\nlisten = \"off\"\n[unix]\npath = {:?}\n",
            path("data"),
            path("socket"),
        );
        std::fs::write(path("quorate.toml"), file).unwrap();
        let recorder = |name| Recorder { name, seen: Arc::clone(&self.seen) };
        let registration = |name: &str| {
            Registration::new(name)
                .path("/ietf-interfaces:interfaces/interface")
                .deadline(Duration::from_millis(2_000))
        };
        let agent = Agent::from_file(path("quorate.toml"))
            .unwrap()
            .participant(registration("second").priority(2), recorder("second"))
            .participant(registration("first").priority(1).rewriting(), recorder("first"))
            .start()
            .unwrap();
        self.agent = Some(agent);
    }

    fn stop(&mut self) {
        self.agent.take().unwrap().stop().unwrap();
    }

    fn session(&self) -> Session {
        let path = self.agent.as_ref().unwrap().unix_path().unwrap();
        Session::open(Wire::unix(path).unwrap(), Speaks::Base11)
    }

    /// What was seen since the last look, when nothing more can come: the participants' threads have ended.
    fn seen_until_stopped(mut self) -> Vec<String> {
        self.stop();
        std::mem::take(&mut *self.seen.lock().unwrap())
    }

    fn forget(&self) {
        self.seen.lock().unwrap().clear();
    }
}

fn interface(description: &str) -> String {
    format!(
        "<interfaces xmlns=\"urn:ietf:params:xml:ns:yang:ietf-interfaces\"><interface><name>a</name>\
         <type xmlns:t=\"urn:ietf:params:xml:ns:yang:iana-if-type\">t:ethernetCsmacd</type>\
         <description>{description}</description></interface></interfaces>"
    )
}

#[test]
fn every_phase_comes_in_the_order_of_priorities() {
    let embedded = Embedded::start();
    let mut session = embedded.session();
    session.edit("running", &interface("x")).ok();
    let seen = embedded.seen_until_stopped();
    let expected = [
        "second start 0 false",
        "first start 0 false",
        "first validate",
        "second validate",
        "first prepare",
        "second prepare",
        "first commit 1 a,x,iana-if-type:ethernetCsmacd",
        "second commit 1 a,x,iana-if-type:ethernetCsmacd",
    ];
    // Starts and commits of different participants run side by side; those of one keep their order.
    for name in ["first", "second"] {
        let of = |lines: &[String]| -> Vec<String> {
            lines.iter().filter(|line| line.starts_with(name)).cloned().collect()
        };
        let expected: Vec<String> = expected.iter().map(|&line| line.to_owned()).collect();
        assert_eq!(of(&seen), of(&expected));
    }
    let asked = |line: &&String| line.contains("validate") || line.contains("prepare");
    let order: Vec<&String> = seen.iter().filter(asked).collect();
    assert_eq!(order, ["first validate", "second validate", "first prepare", "second prepare"]);
}

#[test]
fn a_no_in_prepare_aborts_for_all_and_names_participant_and_reason() {
    let embedded = Embedded::start();
    let mut session = embedded.session();
    embedded.forget();
    let fault = session.edit("running", &interface("no-prepare")).fails_with("operation-failed");
    assert_eq!(fault.app_tag.as_deref(), Some("quorate:refused"));
    assert_eq!(fault.info("participant").as_deref(), Some("second"));
    assert_eq!(fault.info("reason").as_deref(), Some("no room"));
    session.holds("running", "");
    let seen = embedded.seen_until_stopped();
    let aborts = seen.iter().filter(|line| line.ends_with("abort")).count();
    assert_eq!(aborts, 2, "{seen:?}");
    assert!(!seen.iter().any(|line| line.contains("commit")));
}

#[test]
fn a_no_in_validate_refuses_edits_commits_and_the_validate_operation() {
    let embedded = Embedded::start();
    let mut session = embedded.session();
    session.edit("candidate", &interface("no-validate")).ok();
    for operation in ["<validate><source><candidate/></source></validate>", "<commit/>"] {
        let fault = session.request(operation).fails_with("operation-failed");
        assert_eq!(fault.info("reason").as_deref(), Some("not like this"));
    }
    session.holds("running", "");
    session.request("<discard-changes/>").ok();
    drop(embedded.seen_until_stopped());
}

#[test]
fn silence_and_panic_are_refusals_and_the_next_change_goes_on() {
    let embedded = Embedded::start();
    let mut session = embedded.session();
    for value in ["slow", "panic"] {
        session.edit("running", &interface(value)).fails_with("operation-failed");
    }
    session.edit("running", &interface("fine")).ok();
    drop(embedded.seen_until_stopped());
}

#[test]
fn a_failing_commit_callback_undoes_nothing() {
    let embedded = Embedded::start();
    let mut session = embedded.session();
    session.edit("running", &interface("alarm")).ok();
    assert!(session.read("running").contains("alarm"));
    drop(embedded.seen_until_stopped());
}

#[test]
fn a_rewriting_participant_changes_what_is_committed() {
    let embedded = Embedded::start();
    let mut session = embedded.session();
    session.edit("running", &interface("amend")).ok();
    assert!(session.read("running").contains("amended"));
    drop(embedded.seen_until_stopped());
}

#[test]
fn after_a_restart_a_participant_gets_the_full_configuration_and_then_each_revision_once() {
    let mut embedded = Embedded::start();
    let mut session = embedded.session();
    session.edit("running", &interface("one")).ok();
    session.close();
    embedded.stop();
    embedded.forget();
    embedded.run();
    let mut session = embedded.session();
    for value in ["two", "three"] {
        session.edit("running", &interface(value)).ok();
    }
    session.request(&edit_config("running", "", &interface("three"))).ok();
    let seen = embedded.seen_until_stopped();
    let first: Vec<&str> = seen
        .iter()
        .filter_map(|line| line.strip_prefix("first "))
        .filter(|line| !matches!(*line, "validate" | "prepare"))
        .collect();
    assert_eq!(first, ["start 1 true", "commit 2 two", "commit 3 three"]);
}
