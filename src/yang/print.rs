//! A placeholder for the printer: it writes nothing.

use super::path::InstancePath;
use super::schema::Schema;
use super::tree::Tree;
use super::types::PrefixSink;
use std::sync::Arc;

#[derive(Debug)]
pub(crate) struct Printer;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    More,
    Done,
}

impl Printer {
    pub(crate) fn new(_: Arc<Schema>, _: &Tree) -> Self {
        Self
    }

    pub(crate) fn fill(&mut self, _: &mut Vec<u8>, _: usize) -> Progress {
        Progress::Done
    }
}

pub(crate) fn instance_identifier(_: &Schema, _: &InstancePath, _: &mut dyn PrefixSink) -> String {
    String::new()
}
