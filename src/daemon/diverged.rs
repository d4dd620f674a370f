//! What a member that diverged had, in a file for whoever looks for the reason.

use crate::agent::effects::DivergedData;
use crate::base::limits::DIVERGED_FILES_MAX;
use crate::storage::{Disk, DiskError, replace_file};
use crate::yang::schema::Schema;
use std::sync::Arc;

/// The files are called so, with the index of the log entry between.
const PREFIX: &str = "diverged-";
const SUFFIX: &str = ".xml";

/// Writes the file on a thread of its own. That there is none for want of space is no reason to end.
pub(super) fn keep(data: DivergedData, disk: Arc<dyn Disk>, schema: Arc<Schema>) {
    let index = data.index;
    let write = move || match write(&data, &*disk, &schema) {
        Ok(file) => tracing::warn!(file, "what this member had is kept in its data directory"),
        Err(error) => tracing::error!(%error, "what this member had cannot be kept"),
    };
    if let Err(error) = std::thread::Builder::new().name("diverged".to_owned()).spawn(write) {
        tracing::error!(%index, %error, "what this member had cannot be kept");
    }
}

/// Running as a file that `--initial-config` takes, with what is wrong with it in front; gives its name.
fn write(data: &DivergedData, disk: &dyn Disk, schema: &Arc<Schema>) -> Result<String, DiskError> {
    let DivergedData { index, revision, stated, found, running } = data;
    let mut text = format!(
        "<!-- log entry {index}, on revision {revision}: it states digest {stated}, here is {found} -->\n\
         <config xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\">"
    )
    .into_bytes();
    text.extend_from_slice(&crate::yang::print::print_all(schema, running));
    text.extend_from_slice(b"</config>\n");
    let file = format!("{PREFIX}{index}{SUFFIX}");
    replace_file(disk, &file, &text)?;
    remove_old(disk)?;
    Ok(file)
}

fn remove_old(disk: &dyn Disk) -> Result<(), DiskError> {
    let index_of = |file: &String| -> Option<u64> {
        file.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.parse().ok()
    };
    let mut kept: Vec<u64> = disk.list()?.iter().filter_map(index_of).collect();
    kept.sort_unstable();
    let old = kept.len().saturating_sub(DIVERGED_FILES_MAX);
    for index in kept.into_iter().take(old) {
        disk.remove(&format!("{PREFIX}{index}{SUFFIX}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{remove_old, write};
    use crate::agent::effects::DivergedData;
    use crate::base::ids::{Digest, LogIndex, Revision};
    use crate::io::disk::RealDisk;
    use crate::netconf::test_server::schema;
    use crate::storage::Disk;
    use crate::yang::tree::{Seed, Tree};

    #[test]
    fn what_a_member_had_is_kept_and_the_oldest_goes() {
        let directory = tempfile::tempdir().unwrap();
        let disk = RealDisk::open(directory.path()).unwrap();
        for index in [9, 10, 11] {
            let data = DivergedData {
                index: LogIndex(index),
                revision: Revision(3),
                stated: Digest([1; 32]),
                found: Digest([2; 32]),
                running: Tree::empty(Seed(1)),
            };
            assert_eq!(write(&data, &disk, &schema()).unwrap(), format!("diverged-{index}.xml"));
        }
        remove_old(&disk).unwrap();
        let mut files = disk.list().unwrap();
        files.retain(|file| file.starts_with("diverged-"));
        files.sort();
        assert_eq!(files, ["diverged-10.xml", "diverged-11.xml"]);
        let text = std::fs::read_to_string(directory.path().join("diverged-11.xml")).unwrap();
        assert!(text.contains("log entry 11, on revision 3"), "{text}");
        assert!(crate::netconf::document::read_document(text.as_bytes(), &schema()).is_ok());
    }
}
