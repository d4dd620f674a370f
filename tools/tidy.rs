//! Rooms, doors and words: the rules of the house that the compiler does not know.
//!
//! `ROOMS` is the truth about which room may name which (`src/ARCHITECTURE.md` explains why). A wrong door, a word
//! that a pure room may not say, or a file that has grown too long fails this test, with file and line.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test ends where something is wrong"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Whether a room decides or does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// No clock, chance, socket, file, or order of a hash table.
    Pure,
    /// Moves bytes and decides nothing.
    Shell,
}

/// A room and the rooms that it may name.
struct Room {
    name: &'static str,
    kind: Kind,
    doors: &'static [&'static str],
}

const fn pure(name: &'static str, doors: &'static [&'static str]) -> Room {
    Room { name, kind: Kind::Pure, doors }
}

const fn shell(name: &'static str, doors: &'static [&'static str]) -> Room {
    Room { name, kind: Kind::Shell, doors }
}

const ROOMS: &[Room] = &[
    pure("base", &[]),
    pure("xml", &["base"]),
    pure("yang", &["base", "xml"]),
    pure("datastore", &["base", "yang"]),
    pure("netconf", &["base", "xml", "yang", "datastore"]),
    pure("transaction", &["base", "yang", "datastore"]),
    pure("raft", &["base"]),
    pure("replication", &["base", "yang", "datastore", "transaction", "raft"]),
    pure("storage", &["base", "raft"]),
    pure("api", &["base", "yang", "transaction", "datastore"]),
    pure(
        "agent",
        &["base", "yang", "datastore", "netconf", "transaction", "raft", "replication", "api"],
    ),
    pure(
        "sim",
        &[
            "base",
            "yang",
            "datastore",
            "netconf",
            "transaction",
            "raft",
            "replication",
            "storage",
            "api",
            "agent",
        ],
    ),
    // Measures alone.
    shell("measure", &["base", "yang"]),
    // Tests alone.
    shell("fuzz", &["yang", "datastore", "netconf"]),
    shell("io", &["base", "yang", "netconf", "raft", "replication", "storage", "api", "agent"]),
    shell(
        "daemon",
        &[
            "base",
            "xml",
            "yang",
            "datastore",
            "netconf",
            "transaction",
            "raft",
            "replication",
            "storage",
            "api",
            "agent",
            "io",
        ],
    ),
    shell("cli", &["base", "xml", "netconf", "io", "daemon"]),
];

/// Doors beside the table, each of one file, each with its reason.
const EXCEPTIONS: &[(&str, &str, &str)] = &[];

/// What a pure room may not say: it is given time, chance and bytes.
const SHELL_WORDS: &[&str] = &[
    "tokio",
    "russh",
    "rustix",
    "Instant",
    "SystemTime",
    "HashMap",
    "HashSet",
    "RandomState",
    "std::fs",
    "std::net",
    "std::thread",
    "std::process",
    "std::env",
    "std::os",
    "rand",
    "async",
    "println",
    "eprintln",
];

/// Files of pure rooms that may say a word of the shell, each with its reason.
const WORD_EXCEPTIONS: &[(&str, &str, &str)] = &[(
    "src/yang/libyang/sources.rs",
    "std::fs",
    "models are read once, before there is an agent; libyang asks for imports by name in a call-back",
)];

/// What only some files may say, and which.
const OWNED_WORDS: &[(&str, &[&str])] = &[
    ("yang2", &["src/yang/libyang.rs", "src/yang/libyang/"]),
    ("libyang2_sys", &["src/yang/libyang.rs", "src/yang/libyang/"]),
    ("unsafe", &["src/yang/libyang.rs", "src/yang/libyang/"]),
    ("::raft", &["src/raft/"]),
    ("quick_xml", &["src/xml/"]),
    // The configuration checks keys of users as it is read.
    ("russh", &["src/io/", "src/daemon/configuration/"]),
    ("rustls", &["src/io/"]),
    ("tokio_rustls", &["src/io/"]),
    ("rcgen", &["src/io/"]),
];

/// Words of work that is not finished.
const UNFINISHED: &[&str] = &["TODO", "FIXME", "XXX", "todo!", "unimplemented!"];

const LINES_MAX: usize = 600;
const LINES_WITH_TESTS_MAX: usize = 800;
const COLUMNS_MAX: usize = 160;

/// Files that may be longer, each with its reason.
const LONG_FILES: &[(&str, &str)] = &[];

/// A source file, line by line, without comments and what stands in strings.
struct Source {
    /// From the root of the repository, with `/`.
    path: String,
    raw: Vec<String>,
    code: Vec<String>,
    /// Which lines are test code.
    test: Vec<bool>,
}

#[test]
fn rooms_name_only_the_rooms_behind_their_doors() {
    let mut faults = Vec::new();
    for source in sources("src") {
        let Some(room) = room_of(&source.path) else { continue };
        for (number, line) in source.shipped_lines() {
            for named in rooms_named(line) {
                let known = ROOMS.iter().any(|room| room.name == named);
                let own = named == room.name;
                let door = room.doors.contains(&named.as_str());
                if known && !own && !door && !excepted(EXCEPTIONS, &source.path, &named) {
                    faults.push(format!("{}:{number}: {} names {named}", source.path, room.name));
                }
            }
        }
    }
    none(&faults);
}

#[test]
fn every_room_is_in_the_table() {
    let mut faults = Vec::new();
    for source in sources("src") {
        let part = source.path.split('/').nth(1).unwrap();
        let of_the_house = ["lib.rs", "main.rs"].contains(&part);
        let name = part.trim_end_matches(".rs");
        if !of_the_house && !ROOMS.iter().any(|room| room.name == name) {
            faults.push(format!("{}:1: {name} is no room of the table", source.path));
        }
    }
    none(&faults);
}

#[test]
fn pure_rooms_say_nothing_of_the_shell() {
    let mut faults = Vec::new();
    for source in sources("src") {
        if room_of(&source.path).is_none_or(|room| room.kind == Kind::Shell) {
            continue;
        }
        for (number, line) in source.shipped_lines() {
            for word in SHELL_WORDS {
                if says(line, word) && !excepted(WORD_EXCEPTIONS, &source.path, word) {
                    faults.push(format!("{}:{number}: a pure room says {word}", source.path));
                }
            }
        }
    }
    none(&faults);
}

#[test]
fn some_words_belong_to_one_room() {
    let mut faults = Vec::new();
    for source in sources("src") {
        for (number, line) in source.lines() {
            for (word, owners) in OWNED_WORDS {
                let owned = owners.iter().any(|owner| source.path.starts_with(owner));
                if says(line, word) && !owned && !says(line, "unsafe_code") {
                    faults.push(format!("{}:{number}: {word} belongs to {owners:?}", source.path));
                }
            }
        }
    }
    none(&faults);
}

#[test]
fn nothing_is_left_unfinished() {
    let mut faults = Vec::new();
    for directory in ["src", "netconf-tests", "tools"] {
        for source in sources(directory) {
            if source.path == "tools/tidy.rs" {
                continue;
            }
            for (number, line) in source.raw.iter().enumerate() {
                for word in UNFINISHED {
                    if says(line, word) {
                        faults.push(format!("{}:{}: {word}", source.path, number + 1));
                    }
                }
            }
        }
    }
    none(&faults);
}

#[test]
fn files_are_of_a_length_that_can_be_read() {
    let mut faults = Vec::new();
    for directory in ["src", "netconf-tests", "tools"] {
        for source in sources(directory) {
            if LONG_FILES.iter().any(|(path, _)| *path == source.path) {
                continue;
            }
            let all = source.raw.len();
            let tests = source.test.iter().filter(|test| **test).count();
            let black_box = directory != "src";
            if all > LINES_WITH_TESTS_MAX || (!black_box && all - tests > LINES_MAX) {
                faults.push(format!("{}:{all}: {} lines, {tests} of them tests", source.path, all));
            }
            for (number, line) in source.raw.iter().enumerate() {
                if line.chars().count() > COLUMNS_MAX {
                    faults.push(format!("{}:{}: a long line", source.path, number + 1));
                }
            }
        }
    }
    none(&faults);
}

#[test]
fn every_exception_is_used() {
    let all = sources("src");
    let mut faults = Vec::new();
    for (path, word, reason) in EXCEPTIONS.iter().chain(WORD_EXCEPTIONS) {
        let used = all
            .iter()
            .find(|source| source.path == *path)
            .is_some_and(|source| source.shipped_lines().any(|(_, line)| line.contains(word)));
        if !used {
            faults.push(format!("{path}:1: no longer says {word} ({reason})"));
        }
    }
    for (path, reason) in LONG_FILES {
        if !all.iter().any(|source| source.path == *path && source.raw.len() > LINES_MAX) {
            faults.push(format!("{path}:1: is no longer long ({reason})"));
        }
    }
    none(&faults);
}

#[track_caller]
fn none(faults: &[String]) {
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

fn excepted(exceptions: &[(&str, &str, &str)], path: &str, word: &str) -> bool {
    exceptions.iter().any(|(file, allowed, _)| *file == path && *allowed == word)
}

/// The room that a file lies in; `lib.rs` and `main.rs` are the house.
fn room_of(path: &str) -> Option<&'static Room> {
    let name = path.split('/').nth(1)?.trim_end_matches(".rs");
    ROOMS.iter().find(|room| room.name == name)
}

/// The rooms that follow `crate::` in a line, in groups too.
fn rooms_named(line: &str) -> Vec<String> {
    let mut named = Vec::new();
    for (at, _) in line.match_indices("crate::") {
        let before = line[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &line[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => {
                let mut depth = 0;
                let mut name = String::new();
                for c in group.chars() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => named.push(std::mem::take(&mut name)),
                        c if depth == 0 => name.push(c),
                        _ => {}
                    }
                }
                named.push(name);
            }
            None => named.push(rest.to_owned()),
        }
    }
    named.iter().map(|path| first_name(path.trim())).filter(|name| !name.is_empty()).collect()
}

fn first_name(path: &str) -> String {
    path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// Whether a line says a word, and not as a part of another.
fn says(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let part = |c: char| c.is_alphanumeric() || c == '_';
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let begins = !word.starts_with(part) || before.is_none_or(|c| !part(c));
        let ends = !word.ends_with(part) || after.is_none_or(|c| !part(c));
        // `::raft` is the crate, `crate::raft` the room.
        let path = word.starts_with("::") && before.is_some_and(part);
        begins && ends && !path
    })
}

impl Source {
    fn read(root: &Path, file: &Path) -> Self {
        let text = fs::read_to_string(file).expect("a source file");
        let path = file.strip_prefix(root).expect("below the root");
        let path = path.to_str().expect("UTF-8").replace('\\', "/");
        let raw: Vec<String> = text.lines().map(str::to_owned).collect();
        let mut code: Vec<String> = blank(&text).lines().map(str::to_owned).collect();
        code.resize(raw.len(), String::new());
        let test = test_lines(&code);
        Self { path, raw, code, test }
    }

    /// Lines of code with their numbers.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.iter().enumerate().map(|(at, line)| (at + 1, line.as_str()))
    }

    /// Lines of code that are not tests.
    fn shipped_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines().filter(|(number, _)| !self.test[number - 1])
    }
}

/// The files of modules that a parent declares under `#[cfg(test)]`, and what lies below them.
fn mark_test_files(sources: &mut [Source]) {
    let mut test_modules = Vec::new();
    for source in sources.iter() {
        let directory =
            match source.path.strip_suffix("/mod.rs").or(source.path.strip_suffix("/lib.rs")) {
                Some(directory) => directory.to_owned(),
                None => source.path.trim_end_matches(".rs").to_owned(),
            };
        for (number, line) in source.lines().filter(|(number, _)| source.test[number - 1]) {
            let declared = line.trim().trim_end_matches(';').rsplit_once("mod ");
            let named_by_path = number > 1 && source.raw[number - 2].contains("#[path");
            if let Some((_, name)) = declared.filter(|_| line.contains(';') && !named_by_path) {
                test_modules.push(format!("{directory}/{name}.rs"));
                test_modules.push(format!("{directory}/{name}/"));
            }
        }
    }
    for source in sources {
        if test_modules.iter().any(|module| source.path.starts_with(module)) {
            source.test.fill(true);
        }
    }
}

/// The lines of items under `#[cfg(test)]`.
fn test_lines(code: &[String]) -> Vec<bool> {
    let mut test = vec![false; code.len()];
    let mut at = 0;
    while at < code.len() {
        if !code[at].contains("#[cfg(test)]") && !code[at].contains("#[cfg(all(test") {
            at += 1;
            continue;
        }
        let mut depth = 0;
        loop {
            test[at] = true;
            let line = &code[at];
            depth += line.matches('{').count();
            depth -= line.matches('}').count();
            let attribute = line.trim_start().starts_with("#[") && !line.contains(" mod ");
            let over = depth == 0 && !attribute && (line.contains('}') || line.contains(';'));
            at += 1;
            if over || at == code.len() {
                break;
            }
        }
    }
    test
}

/// The text with comments, strings and characters blanked, line by line.
fn blank(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |at| at + 2)
        } else if let Some(raw) = raw_string(rest) {
            raw
        } else if c == '"' {
            quoted(rest, '"')
        } else if c == '\'' {
            character(rest)
        } else {
            0
        };
        if skipped == 0 {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            out.extend(rest[..skipped].chars().filter(|c| *c == '\n'));
            out.push(' ');
            rest = &rest[skipped..];
        }
    }
    out
}

/// The length of the raw string that begins here.
fn raw_string(text: &str) -> Option<usize> {
    let after = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let start = text.len() - after.len() + hashes + 1;
    after[hashes..].starts_with('"').then_some(())?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(text[start..].find(&end).map_or(text.len(), |at| start + at + end.len()))
}

/// The length of the quoted text that begins here.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of the character that begins here; 0 for a lifetime.
fn character(text: &str) -> usize {
    let mut chars = text.chars().skip(1);
    match (chars.next(), chars.next()) {
        (Some('\\'), _) => quoted(text, '\''),
        (Some(c), Some('\'')) => 2 + c.len_utf8(),
        _ => 0,
    }
}

/// All Rust files below a directory of the repository, in order.
fn sources(directory: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = BTreeMap::new();
    let mut open = vec![root.join(directory)];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).expect("a directory") {
            let path: PathBuf = entry.expect("an entry").path();
            let fuzz_build = path.ends_with("target");
            if path.is_dir() && !fuzz_build {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.insert(path.clone(), Source::read(root, &path));
            }
        }
    }
    let mut sources: Vec<Source> = files.into_values().collect();
    mark_test_files(&mut sources);
    sources
}

#[test]
fn the_scanner_knows_code_from_text() {
    let text = "let a = \"crate::io\"; // crate::io\nlet b = 'x'; crate::base::X;\nlet c: &'a str = r#\"tokio\"#;";
    let code = blank(text);
    assert!(!code.contains("io"), "{code}");
    assert!(code.contains("crate::base::X") && code.contains("&'a str"), "{code}");
    assert_eq!(rooms_named("use crate::{base::ids, yang::{tree, path}};"), ["base", "yang"]);
    assert!(says("use ::raft::Config;", "::raft") && !says("crate::raft::Node", "::raft"));
    assert!(says("HashMap::new()", "HashMap") && !says("MyHashMap", "HashMap"));
}

#[test]
fn the_scanner_knows_tests_from_what_is_shipped() {
    let code = "fn a() {}\n#[cfg(test)]\nmod tests {\n  fn b() {}\n}\nfn c() {}\n#[cfg(test)]\nuse x;\nfn d() {}";
    let lines: Vec<String> = code.lines().map(str::to_owned).collect();
    let shipped: Vec<bool> = test_lines(&lines).iter().map(|test| !test).collect();
    assert_eq!(shipped, [true, false, false, false, false, true, false, false, true]);
}
