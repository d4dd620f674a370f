//! What an agent is told by flags, by `QUORATE_…` variables and by its file (conf/quorate.toml).

use crate::support::agent::{Agent, Given, Settings, root, standard_modules};
use crate::support::session::{Session, Speaks};
use crate::support::wire::Wire;
use std::net::TcpStream;
use std::path::Path;

/// An agent that hears from its test alone.
fn untold(file: &str) -> Agent {
    Agent::stopped(Settings { file: file.to_owned(), given: Given::Nothing, ..Settings::default() })
}

fn text(path: impl AsRef<Path>) -> String {
    path.as_ref().to_str().expect("UTF-8").to_owned()
}

fn models(directory: &str) -> String {
    standard_modules();
    text(root().join(directory))
}

/// Not one argument, as in a container: every variable is heard, and lists have commas.
#[test]
fn variables_alone_are_enough() {
    let initial = "<top xmlns=\"urn:quorate:test\"><hidden>x</hidden><shown>y</shown></top>";
    let agent = untold("[sessions]\nmax = 1\n");
    std::fs::write(agent.path("initial.xml"), initial).expect("a file");
    let path = |name| text(agent.path(name));
    let variables = [
        ("QUORATE_CONFIG", path("quorate.toml")),
        ("QUORATE_DATA_DIR", path("elsewhere")),
        ("QUORATE_UNIX", path("netconf.sock")),
        ("QUORATE_SSH", "127.0.0.1:0".to_owned()),
        (
            "QUORATE_YANG_DIR",
            format!("{},{}", models("netconf-tests/yang"), models("yang/standard")),
        ),
        ("QUORATE_MODULE", "quorate-test,example-config@2011-06-01".to_owned()),
        ("QUORATE_FEATURE", "quorate-test:extra,quorate-test:secret".to_owned()),
        ("QUORATE_INITIAL_CONFIG", path("initial.xml")),
        ("QUORATE_LOG", "debug".to_owned()),
    ];
    let mut agent = agent.with_variables(&variables);
    agent.run();
    assert!(agent.path("elsewhere").is_dir());
    TcpStream::connect(("127.0.0.1", agent.ssh_port())).expect("SSH listens");
    assert!(agent.log().contains("DEBUG"), "{}", agent.log());
    let mut session = agent.session();
    session.holds("running", initial);
    let user = "<users><user><name>fred</name></user></users>";
    let top = format!("<top xmlns=\"http://example.com/schema/1.2/config\">{user}</top>");
    session.edit("running", &top).ok();
    assert!(agent.connect().rest().is_empty(), "the file of QUORATE_CONFIG allows one session");
}

/// A value that is not allowed is refused like that of a flag, and nothing starts.
#[test]
fn a_variable_that_is_not_allowed_is_named() {
    for (variable, value, flag) in [
        ("QUORATE_SSH", "localhost", "--ssh"),
        ("QUORATE_LOG", "loud", "--log"),
        ("QUORATE_MODULE", "quorate-test,example config", "--module"),
        ("QUORATE_FEATURE", "quorate-test", "--feature"),
        ("QUORATE_DATA_DIR", "", "--data-dir"),
    ] {
        let mut agent = untold("").with_variables(&[(variable, value.to_owned())]);
        let Err(refused) = agent.try_run() else { panic!("{variable}={value} was accepted") };
        assert_eq!(refused.status.code(), Some(2), "{}", refused.log);
        assert!(refused.log.contains(flag), "{variable}: {}", refused.log);
    }
}

/// Where a setting can stand, the weakest first.
const PLACES: [&str; 3] = ["by-file", "by-variable", "by-flag"];

/// What is set at one place, as names of flags: a data directory, a socket, a directory of models with one module, and
/// that module with a feature are all named after the place. A list has its name several times.
fn settings_of(agent: &Agent, place: &str) -> Vec<(&'static str, String)> {
    let directory = agent.path(&format!("{place}.models"));
    std::fs::create_dir_all(&directory).expect("a directory");
    let module = format!("module {place} {{ namespace urn:{place}; prefix p; feature {place}; }}");
    std::fs::write(directory.join(format!("{place}.yang")), module).expect("a file");
    let (ssh, log) = match place {
        "by-variable" => ("127.0.0.1:0", "info"),
        _ => ("off", "warn"),
    };
    vec![
        ("data-dir", text(agent.path(&format!("{place}.data")))),
        ("unix", text(agent.path(&format!("{place}.sock")))),
        ("yang-dir", text(directory)),
        ("yang-dir", models("yang/standard")),
        ("module", place.to_owned()),
        ("module", "ietf-interfaces".to_owned()),
        ("feature", format!("{place}:*")),
        ("ssh", ssh.to_owned()),
        ("log", log.to_owned()),
    ]
}

/// All values that a flag of this name has, with commas.
fn values(settings: &[(&str, String)], flag: &str) -> String {
    let values = settings.iter().filter(|(name, _)| *name == flag);
    values.map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(",")
}

fn file_of(settings: &[(&str, String)]) -> String {
    let value = |flag| format!("{:?}", values(settings, flag));
    let list = |flag| format!("[{}]", value(flag).replace(',', "\", \""));
    format!(
        "data-dir = {}\nyang-dirs = {}\nmodules = {}\nfeatures = {}\n\
         [unix]\npath = {}\n[ssh]\nlisten = {}\n[log]\nlevel = {}\n",
        value("data-dir"),
        list("yang-dir"),
        list("module"),
        list("feature"),
        value("unix"),
        value("ssh"),
        value("log"),
    )
}

/// The flag counts before the variable, the variable before the file; a list stands in place of a list.
#[test]
fn a_flag_counts_before_a_variable_and_a_variable_before_the_file() {
    for (strength, strongest) in PLACES.iter().enumerate() {
        let mut agent = untold("");
        let file = agent.path("settings.toml");
        std::fs::write(&file, file_of(&settings_of(&agent, "by-file"))).expect("a file");
        let mut variables = vec![("QUORATE_CONFIG", text(&file))];
        if strength >= 1 {
            let settings = settings_of(&agent, "by-variable");
            variables.extend([
                ("QUORATE_DATA_DIR", values(&settings, "data-dir")),
                ("QUORATE_UNIX", values(&settings, "unix")),
                ("QUORATE_YANG_DIR", values(&settings, "yang-dir")),
                ("QUORATE_MODULE", values(&settings, "module")),
                ("QUORATE_FEATURE", values(&settings, "feature")),
                ("QUORATE_SSH", values(&settings, "ssh")),
                ("QUORATE_LOG", values(&settings, "log")),
            ]);
        }
        agent = agent.with_variables(&variables);
        if strength >= 2 {
            for (flag, value) in settings_of(&agent, "by-flag") {
                agent = agent.with_arguments(&[&format!("--{flag}"), &value]);
            }
        }
        agent.run();
        check_settings(&agent, strongest);
    }
}

/// The agent does what stands at this place, and nothing of what stands elsewhere.
#[track_caller]
fn check_settings(agent: &Agent, strongest: &str) {
    for place in PLACES {
        let here = place == strongest;
        assert_eq!(agent.path(&format!("{place}.data")).exists(), here, "{place} of {strongest}");
        assert_eq!(agent.path(&format!("{place}.sock")).exists(), here, "{place} of {strongest}");
    }
    match strongest {
        // The address stands in an `info`.
        "by-variable" => assert_ne!(agent.ssh_port(), 0),
        _ => assert!(!agent.log().contains("127.0.0.1:"), "{strongest}: {}", agent.log()),
    }
    let wire = Wire::unix(&agent.path(&format!("{strongest}.sock"))).expect("a socket");
    let mut session = Session::open(wire, Speaks::Base11);
    let library = "<yang-library xmlns=\"urn:ietf:params:xml:ns:yang:ietf-yang-library\"/>";
    let reply = session.request(&format!("<get><filter>{library}</filter></get>"));
    let modules = reply.data().child("yang-library").child("module-set").clone();
    let own = modules.all("module").filter_map(|module| {
        let name = module.value("name").filter(|name| name.starts_with("by-"))?;
        Some((name, module.value("feature")))
    });
    let expected = (strongest.to_owned(), Some(strongest.to_owned()));
    assert_eq!(own.collect::<Vec<_>>(), [expected]);
}
