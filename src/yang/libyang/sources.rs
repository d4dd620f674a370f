//! Where the text of modules comes from: given texts first, then the directories.

use super::CompileOptions;
use std::collections::BTreeMap;
use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The texts that modules can be read from, and those that were.
pub(super) struct Sources {
    texts: Vec<(String, Arc<str>)>,
    dirs: Vec<PathBuf>,
    /// Every text that libyang was given, in that order. The C strings live as long as the compiler may look at them.
    served: Vec<Served>,
    /// Names that libyang asked for in vain.
    missing: Vec<String>,
}

/// A text that libyang was given.
struct Served {
    name: String,
    revision: String,
    /// A file name, or the name of a text in memory.
    origin: String,
    text: Arc<str>,
    c_text: CString,
}

/// A text that could serve a request.
struct Candidate {
    revision: String,
    origin: String,
    text: Arc<str>,
}

impl Sources {
    pub(super) fn new(options: &CompileOptions) -> Self {
        let texts = options
            .sources
            .iter()
            .map(|(name, text)| (name.clone(), Arc::from(text.as_str())))
            .collect();
        Self { texts, dirs: options.dirs.clone(), served: Vec::new(), missing: Vec::new() }
    }

    /// The text of module or submodule `name`, of `revision` if one is named, otherwise the newest.
    ///
    /// The C string is valid until these sources are dropped.
    pub(super) fn serve(&mut self, name: &str, revision: Option<&str>) -> Option<&CString> {
        let found = self
            .candidates(name)
            .into_iter()
            .filter(|candidate| revision.is_none_or(|revision| candidate.revision == revision))
            // The first of the newest: what is in memory precedes files, and directories stand in order.
            .reduce(|best, next| if next.revision > best.revision { next } else { best });
        let found = found.and_then(|found| Some((CString::new(&*found.text).ok()?, found)));
        let Some((c_text, found)) = found else {
            self.missing.push(name.to_owned());
            return None;
        };
        self.served.push(Served {
            name: name.to_owned(),
            revision: found.revision,
            origin: found.origin,
            text: found.text,
            c_text,
        });
        self.served.last().map(|served| &served.c_text)
    }

    fn candidates(&self, name: &str) -> Vec<Candidate> {
        let in_memory = self.texts.iter().filter(|(text_name, _)| text_name == name).map(
            |(text_name, text)| Candidate {
                revision: newest_revision(text),
                origin: text_name.clone(),
                text: Arc::clone(text),
            },
        );
        let in_files = self.dirs.iter().flat_map(|dir| files(dir, name));
        in_memory.chain(in_files).collect()
    }

    /// The text that module or submodule `name` of `revision` was read from.
    pub(super) fn text(&self, name: &str, revision: &str) -> Option<Arc<str>> {
        self.served
            .iter()
            .find(|served| served.name == name && served.revision == revision)
            .map(|served| Arc::clone(&served.text))
    }

    /// Where the text of `name` was read from: a file, or its own name.
    pub(super) fn origin(&self, name: &str) -> Option<&str> {
        self.served.iter().rev().find(|served| served.name == name).map(|served| &*served.origin)
    }

    /// The text of `name` that was given out last.
    pub(super) fn latest_text(&self, name: &str) -> Option<&str> {
        self.served.iter().rev().find(|served| served.name == name).map(|served| &*served.text)
    }

    /// Where the text came from that was given out last.
    pub(super) fn last_origin(&self) -> Option<&str> {
        self.served.last().map(|served| &*served.origin)
    }

    /// Nothing with this name was found when it was asked for.
    pub(super) fn is_missing(&self, name: &str) -> bool {
        self.missing.iter().any(|missing| missing == name)
    }
}

/// The files in `dir` that hold module or submodule `name`: `name.yang` or `name@revision.yang`.
fn files(dir: &Path, name: &str) -> Vec<Candidate> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut by_path = BTreeMap::new();
    for path in entries.flatten().map(|entry| entry.path()) {
        let stem = path
            .file_name()
            .and_then(|file_name| file_name.to_str())
            .and_then(|file_name| file_name.strip_suffix(".yang"));
        let Some(stem) = stem else { continue };
        if stem.split_once('@').map_or(stem, |(before, _)| before) != name {
            continue;
        }
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        by_path.insert(path, text);
    }
    by_path
        .into_iter()
        .map(|(path, text)| Candidate {
            revision: newest_revision(&text),
            origin: path.display().to_string(),
            text: text.into(),
        })
        .collect()
}

/// The newest revision that a module's text states; empty if it states none.
///
/// This only chooses among texts: the compiler reads the revision itself and has the last word.
fn newest_revision(text: &str) -> String {
    let is_between = |c: char| c.is_whitespace() || matches!(c, ';' | '{' | '}');
    let mut words = text.split(is_between).filter(|word| !word.is_empty());
    let mut newest = "";
    while let Some(word) = words.next() {
        if word != "revision" {
            continue;
        }
        let date = words.next().unwrap_or_default().trim_matches(['"', '\'']);
        if is_date(date) && date > newest {
            newest = date;
        }
    }
    newest.to_owned()
}

/// `2026-11-21`.
fn is_date(text: &str) -> bool {
    text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

#[cfg(test)]
mod tests {
    use super::newest_revision;

    #[test]
    fn the_newest_revision_statement_counts() {
        for (text, expected) in [
            ("module a { }", ""),
            ("revision 2020-01-02;\n revision \"2021-01-02\" { }\n", "2021-01-02"),
            ("revision '2020-01-02'{", "2020-01-02"),
            ("import b { revision-date 2022-01-01; }", ""),
            ("revision next;", ""),
            ("module a{prefix a;revision 2020-01-02;}", "2020-01-02"),
        ] {
            assert_eq!(newest_revision(text), expected, "{text}");
        }
    }
}
