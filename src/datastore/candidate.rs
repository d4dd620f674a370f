//! The candidate configuration (RFC 6241, 8.3): a base and what was made of it.

use super::apply::{Edited, apply_edit};
use super::edit::Edit;
use super::footprint::{Footprint, instance_path};
use super::graft::graft;
use crate::base::ids::Revision;
use crate::base::limits::VALIDATION_ERRORS_MAX;
use crate::yang::error::DataError;
use crate::yang::path::InstancePath;
use crate::yang::schema::Schema;
use crate::yang::tree::{KeyPath, Tree, diff};

/// A candidate. It costs two pointers until it is edited.
///
/// Invariant: outside the roots of `footprint`, `tree` is `base`; `base` is running as of `base_revision`.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    pub(super) base_revision: Revision,
    base: Tree,
    tree: Tree,
    pub(super) footprint: Footprint,
}

impl Candidate {
    /// A candidate that equals `running`.
    pub(crate) fn new(revision: Revision, running: &Tree) -> Self {
        Self {
            base_revision: revision,
            base: running.clone(),
            tree: running.clone(),
            footprint: Footprint::default(),
        }
    }

    /// The candidate that another member holds: its base, what it makes of it, and what it touched.
    pub(crate) fn from_parts(
        base_revision: Revision,
        base: Tree,
        tree: Tree,
        footprint: Footprint,
    ) -> Self {
        Self { base_revision, base, tree, footprint }
    }

    /// The revision and the tree that it stands on, and what was touched since.
    pub(crate) fn base(&self) -> (Revision, &Tree, &Footprint) {
        (self.base_revision, &self.base, &self.footprint)
    }

    /// What a reader of the candidate sees: its base with its edits.
    pub(crate) fn tree(&self) -> &Tree {
        &self.tree
    }

    /// It differs from its base: who asks for a lock is told so (RFC 6241, 7.5).
    pub(crate) fn is_modified(&self) -> bool {
        !self.footprint.is_empty() && self.tree != self.base
    }

    /// Edits it. On an error it is unchanged.
    pub(crate) fn edit(&mut self, schema: &Schema, edit: &Edit) -> Result<(), DataError> {
        let Edited { tree, footprint } = apply_edit(schema, &self.tree, edit)?;
        self.tree = tree;
        self.footprint.union(&footprint);
        Ok(())
    }

    /// copy-config onto it, of anything but running: that is `discard`.
    pub(crate) fn replace_whole(&mut self, tree: Tree) {
        self.tree = tree;
        self.footprint = Footprint::whole();
    }

    /// discard-changes, the end of a commit, copy-config from running: it equals `running` again.
    pub(crate) fn discard(&mut self, revision: Revision, running: &Tree) {
        *self = Self::new(revision, running);
    }

    /// Takes a newer running as its base if nothing has been edited, so that what was never touched is never old.
    pub(crate) fn follow(&mut self, revision: Revision, running: &Tree) {
        if self.footprint.is_empty() {
            self.discard(revision, running);
        }
    }

    /// The tree to validate and commit: what the candidate changed, on `head`.
    ///
    /// A candidate that is what running has become has nothing to commit. Otherwise, if running has
    /// moved on and others touched what the candidate touched, the paths of that, at most
    /// `VALIDATION_ERRORS_MAX`. Constraints across paths are validation's, which runs on the result.
    pub(crate) fn rebase(
        &self,
        schema: &Schema,
        head_revision: Revision,
        head: &Tree,
    ) -> Result<Tree, Vec<InstancePath>> {
        if head_revision == self.base_revision {
            return Ok(self.tree.clone());
        }
        let theirs = Footprint::of_diff(schema, &self.base, &diff(&self.base, head));
        let conflicts = self.footprint.conflicts(&theirs, VALIDATION_ERRORS_MAX);
        if !conflicts.is_empty() {
            return Err(self.instance_paths(schema, &conflicts, head));
        }
        let mut rebased = head.clone();
        let mut blocked = Vec::new();
        for root in self.footprint.roots() {
            if graft(schema, &mut rebased, &self.tree, &root).is_err() {
                blocked.push(root);
            }
        }
        if blocked.is_empty() {
            Ok(rebased)
        } else {
            Err(self.instance_paths(schema, &blocked, head))
        }
    }

    fn instance_paths(&self, schema: &Schema, paths: &[KeyPath], head: &Tree) -> Vec<InstancePath> {
        let trees = [&self.tree, head, &self.base];
        paths.iter().map(|path| instance_path(schema, path, &trees)).collect()
    }
}
