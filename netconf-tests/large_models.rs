//! As many models as a large device has.

use crate::support::agent::{Agent, Settings, root};
use std::process::Command;

const MODULES: usize = 500;

/// `tools/large-models` writes them: 50 000 schema nodes.
#[test]
fn an_agent_with_many_models_starts_and_validates() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut script = Command::new(root().join("tools/large-models"));
    let count = MODULES.to_string();
    let nodes = (MODULES * 100).to_string();
    script.arg(directory.path()).args(["--modules", &count, "--nodes", &nodes]);
    assert!(script.output().expect("python3").status.success());
    let agent = Agent::start_with(Settings {
        modules: Some(
            (0..MODULES)
                .map(|number| format!("large-{number}"))
                .chain(["large-types".to_owned()])
                .collect(),
        ),
        arguments: vec!["--yang-dir".to_owned(), directory.path().display().to_string()],
        ..Settings::default()
    });
    let mut session = agent.session();
    let entry = |number: usize, inner: &str| {
        format!(
            "<large-{number} xmlns=\"urn:large:{number}\"><entry><name>e</name>{inner}</entry></large-{number}>"
        )
    };
    let typed = "<type xmlns:lt=\"urn:large:types\">lt:routed</type>";
    let via = "<via-8 xmlns=\"urn:large:8\"><entry>e</entry></via-8>";
    let refers = entry(7, &format!("{typed}{via}"));
    let fault = session.edit("running", &refers).error();
    let path = fault.path.clone().expect("a path");
    let expected = "{urn:large:7}:large-7/{urn:large:7}:entry[{urn:large:7}:name='e']";
    assert_eq!(path, format!("/{expected}/{{urn:large:8}}:via-8/{{urn:large:8}}:entry"));
    assert_eq!(fault.app_tag.as_deref(), Some("instance-required"));
    let both = format!("{refers}{}", entry(8, typed));
    session.edit("running", &both).ok();
    session.holds("running", &both);
    let disabled = entry(7, "<enabled>false</enabled><mtu>9000</mtu>");
    session.edit("running", &disabled).fails_with("operation-failed");
    // The `when` of the augmentation is false then.
    session.edit("running", &entry(7, "<enabled>false</enabled>")).ok();
    let left = format!("{typed}<enabled>false</enabled>");
    session.holds("running", &format!("{}{}", entry(7, &left), entry(8, typed)));
}
