//! Trees and diffs from their bytes. See `encode.rs` for the form.

use super::container::ContainerBuilder;
use super::diff::{Change, Diff, EntriesChange, EntryChange, Existence, Placed};
use super::encode::{
    ANY, CHANGED, CONTAINER, CREATED, END, ENTRY, ITEM, KEPT, LEAF, LEAF_LIST, LIST, NAME, NEW,
    OLD, PLACED, REMOVED, VERSION,
};
use super::entries::EntriesBuilder;
use super::input::Input;
use super::{Child, Container, DataKind, Key, NodeNames, Seed, Text, Tree};
use crate::base::limits::DEPTH_MAX;
use crate::yang::schema::NodeId;
use std::sync::Arc;

/// Why bytes are no tree or diff of this schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DecodeError {
    #[error("the record ends too early")]
    Truncated,
    #[error("bytes follow the end of the record")]
    Trailing,
    #[error("the record has version {0}, which is not known here")]
    Version(u8),
    #[error("the record is malformed")]
    Malformed,
    #[error("{0} is not in the schema")]
    UnknownNode(String),
    #[error("{0} is of another kind in the schema")]
    OtherKind(String),
    #[error("a node or entry occurs twice, or not in its order")]
    Disorder,
    #[error("more than {DEPTH_MAX} levels")]
    TooDeep,
}

/// The diff that `encode_diff` made these bytes of. What was removed is not known to it.
pub(crate) fn decode_diff(
    bytes: &[u8],
    names: &dyn NodeNames,
    seed: Seed,
) -> Result<Diff, DecodeError> {
    let outermost = Frame::Changes { parent: None, diff: Diff::default(), slot: Slot::Top };
    let mut decoder = Decoder::new(names, seed, outermost);
    let mut input = Input(bytes);
    decoder.run(&mut input)?;
    match decoder.finished {
        Some(Finished::Diff(diff)) => Ok(diff),
        Some(Finished::Tree(_)) | None => Err(DecodeError::Truncated),
    }
}

/// Reads a tree from the chunks that `encode_tree` gave, cut anywhere.
pub(crate) struct TreeDecoder<'n> {
    decoder: Decoder<'n>,
    /// The beginning of an item whose end has not come yet.
    rest: Vec<u8>,
}

impl<'n> TreeDecoder<'n> {
    /// Nothing read yet. `seed` is the cluster's.
    pub(crate) fn new(names: &'n dyn NodeNames, seed: Seed) -> Self {
        let content = ContainerBuilder::default();
        let outermost = Frame::Children { parent: None, content, slot: Slot::Top };
        Self { decoder: Decoder::new(names, seed, outermost), rest: Vec::new() }
    }

    /// Reads on. After an error, the decoder is of no use any more.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> Result<(), DecodeError> {
        self.rest.extend_from_slice(chunk);
        let mut input = Input(&self.rest);
        match self.decoder.run(&mut input) {
            Ok(()) | Err(DecodeError::Truncated) => {}
            Err(error) => return Err(error),
        }
        let read = self.rest.len() - input.0.len();
        self.rest.drain(..read);
        Ok(())
    }

    /// The tree, if all of it has been read.
    pub(crate) fn finish(self) -> Result<Tree, DecodeError> {
        match self.decoder.finished {
            Some(Finished::Tree(root)) => Ok(Tree { root, seed: self.decoder.seed }),
            Some(Finished::Diff(_)) | None => Err(DecodeError::Truncated),
        }
    }
}

/// What is open, as a stack of our own: data may be deeper than a thread's stack.
enum Frame {
    Children { parent: Option<NodeId>, content: ContainerBuilder, slot: Slot },
    Entries { node: NodeId, list: EntriesBuilder<Container> },
    Items { node: NodeId, items: EntriesBuilder<Text> },
    Changes { parent: Option<NodeId>, diff: Diff, slot: Slot },
    EntryChanges { node: NodeId, entries: Changed<Container, Diff>, placed: Vec<Placed> },
    ItemChanges { node: NodeId, entries: Changed<Text, Text>, placed: Vec<Placed> },
}

type Changed<V, D> = Vec<(Key, EntryChange<V, D>)>;

/// Where a finished container or diff goes in the frame around it.
enum Slot {
    Top,
    Child(NodeId, Existence),
    Entry(Key),
}

enum Finished {
    Tree(Container),
    Diff(Diff),
}

struct Decoder<'n> {
    names: &'n dyn NodeNames,
    seed: Seed,
    /// Nodes by their number in the record, with their parents.
    nodes: Vec<(Option<NodeId>, NodeId)>,
    frames: Vec<Frame>,
    /// Open containers and entries.
    depth: usize,
    begun: bool,
    finished: Option<Finished>,
}

impl<'n> Decoder<'n> {
    fn new(names: &'n dyn NodeNames, seed: Seed, outermost: Frame) -> Self {
        let frames = vec![outermost];
        Self { names, seed, nodes: Vec::new(), frames, depth: 0, begun: false, finished: None }
    }

    /// Reads items to the end of the record. `Truncated` leaves the input at the beginning of an item, and can be
    /// followed by another call.
    fn run(&mut self, input: &mut Input<'_>) -> Result<(), DecodeError> {
        if !self.begun {
            match input.byte()? {
                VERSION => self.begun = true,
                version => return Err(DecodeError::Version(version)),
            }
        }
        while self.finished.is_none() {
            let mut item = *input;
            self.item(&mut item)?;
            *input = item;
        }
        if input.0.is_empty() { Ok(()) } else { Err(DecodeError::Trailing) }
    }

    /// Reads one item: everything that can be missing before anything is changed.
    fn item(&mut self, input: &mut Input<'_>) -> Result<(), DecodeError> {
        let tag = input.byte()?;
        match (self.frames.last(), tag) {
            (_, END) => self.close(),
            (Some(Frame::Children { parent, .. } | Frame::Changes { parent, .. }), NAME) => {
                let parent = *parent;
                let (module, name) = (input.text()?, input.text()?);
                let unknown = || DecodeError::UnknownNode(self.path_to((module, name)));
                let node = self.names.child(parent, module, name).ok_or_else(unknown)?;
                self.nodes.push((parent, node));
                Ok(())
            }
            (Some(Frame::Children { parent, .. }), tag) => {
                let node = self.node(*parent, tag, input)?;
                self.child(node, tag, input)
            }
            (Some(Frame::Changes { parent, .. }), tag) => {
                let node = self.node(*parent, tag, input)?;
                self.change(node, tag, input)
            }
            (Some(Frame::Entries { node, .. }), ENTRY) => {
                let (node, key) = (*node, Key::from(input.blob()?));
                self.open_children(node, Slot::Entry(key))
            }
            (Some(Frame::Items { .. }), ITEM) => {
                let (key, text) = (Key::from(input.blob()?), Text::new(input.text()?));
                match self.frames.last_mut() {
                    Some(Frame::Items { items, .. }) => require(items.push(key, text)),
                    Some(_) | None => Err(DecodeError::Disorder),
                }
            }
            (Some(Frame::EntryChanges { node, .. }), CREATED | CHANGED | REMOVED) => {
                let (node, key) = (*node, Key::from(input.blob()?));
                self.entry_change(node, key, tag)
            }
            (Some(Frame::ItemChanges { .. }), CREATED | CHANGED | REMOVED) => {
                let key = Key::from(input.blob()?);
                let change = match tag {
                    CREATED => EntryChange::Created(Text::new(input.text()?)),
                    CHANGED => EntryChange::Changed(Text::new(input.text()?)),
                    _ => EntryChange::Removed(None),
                };
                match self.frames.last_mut() {
                    Some(Frame::ItemChanges { entries, .. }) => {
                        push_ascending(entries, key, change)
                    }
                    Some(_) | None => Err(DecodeError::Malformed),
                }
            }
            (Some(Frame::EntryChanges { .. } | Frame::ItemChanges { .. }), PLACED) => {
                self.placed(input)
            }
            (Some(_) | None, _) => Err(DecodeError::Malformed),
        }
    }

    /// The node whose number follows; it must be a child of `parent` and of the kind that `tag` says.
    fn node(
        &self,
        parent: Option<NodeId>,
        tag: u8,
        input: &mut Input<'_>,
    ) -> Result<NodeId, DecodeError> {
        let number = usize::try_from(input.number()?).ok();
        let (named_below, node) =
            number.and_then(|number| self.nodes.get(number)).ok_or(DecodeError::Malformed)?;
        if *named_below != parent {
            return Err(DecodeError::Malformed);
        }
        let same_kind = match self.names.kind(*node) {
            DataKind::Leaf => tag == LEAF,
            DataKind::Container => tag == CONTAINER,
            DataKind::List(_) => tag == LIST,
            DataKind::LeafList(_) => tag == LEAF_LIST,
            DataKind::Any => tag == ANY,
            DataKind::None => false,
        };
        if !same_kind {
            return Err(DecodeError::OtherKind(self.path_to(self.names.name(*node))));
        }
        Ok(*node)
    }

    /// The schema node path of a child of what is open.
    fn path_to(&self, child: (&str, &str)) -> String {
        let open = self.frames.iter().filter_map(|frame| match frame {
            Frame::Children { parent, .. } | Frame::Changes { parent, .. } => *parent,
            Frame::Entries { .. }
            | Frame::Items { .. }
            | Frame::EntryChanges { .. }
            | Frame::ItemChanges { .. } => None,
        });
        let names = open.map(|node| self.names.name(node)).chain([child]);
        names.map(|(module, name)| format!("/{module}:{name}")).collect()
    }

    /// Reads a child of a container.
    fn child(&mut self, node: NodeId, tag: u8, input: &mut Input<'_>) -> Result<(), DecodeError> {
        match tag {
            LEAF | ANY => {
                let text = input.text()?;
                let Some(Frame::Children { content, .. }) = self.frames.last_mut() else {
                    return Err(DecodeError::Malformed);
                };
                let new = if tag == LEAF {
                    content.put_leaf(node, text)
                } else {
                    content.put(node, Child::Any(Arc::from(text)))
                };
                if new { Ok(()) } else { Err(DecodeError::Disorder) }
            }
            CONTAINER => self.open_children(node, Slot::Child(node, Existence::Kept)),
            _ => self.open_entries(node),
        }
    }

    /// Reads the change of a child.
    fn change(&mut self, node: NodeId, tag: u8, input: &mut Input<'_>) -> Result<(), DecodeError> {
        let change = match tag {
            LEAF => {
                let (old, new) = values(input)?;
                Change::Leaf { old: old.map(Text::new), new: new.map(Text::new) }
            }
            ANY => {
                let (old, new) = values(input)?;
                Change::Any { old: old.map(Arc::from), new: new.map(Arc::from) }
            }
            CONTAINER => {
                let existence = match input.byte()? {
                    KEPT => Existence::Kept,
                    CREATED => Existence::Created,
                    REMOVED => Existence::Removed,
                    _ => return Err(DecodeError::Malformed),
                };
                if existence != Existence::Removed {
                    return self.open_changes(node, Slot::Child(node, existence));
                }
                Change::Container { existence, inner: Diff::default() }
            }
            _ => match input.byte()? {
                CREATED => return self.open_entries(node),
                CHANGED => {
                    let placed = Vec::new();
                    self.frames.push(if tag == LIST {
                        Frame::EntryChanges { node, entries: Vec::new(), placed }
                    } else {
                        Frame::ItemChanges { node, entries: Vec::new(), placed }
                    });
                    return Ok(());
                }
                REMOVED if tag == LIST => Change::List(EntriesChange::Removed(None)),
                REMOVED => Change::LeafList(EntriesChange::Removed(None)),
                _ => return Err(DecodeError::Malformed),
            },
        };
        self.add_change(node, change)
    }

    fn entry_change(&mut self, node: NodeId, key: Key, tag: u8) -> Result<(), DecodeError> {
        match (self.frames.last_mut(), tag) {
            (_, CREATED) => self.open_children(node, Slot::Entry(key)),
            (_, CHANGED) => self.open_changes(node, Slot::Entry(key)),
            (Some(Frame::EntryChanges { entries, .. }), _) => {
                push_ascending(entries, key, EntryChange::Removed(None))
            }
            (Some(_) | None, _) => Err(DecodeError::Malformed),
        }
    }

    fn placed(&mut self, input: &mut Input<'_>) -> Result<(), DecodeError> {
        let key = Key::from(input.blob()?);
        let after = match input.byte()? {
            0 => None,
            1 => Some(Key::from(input.blob()?)),
            _ => return Err(DecodeError::Malformed),
        };
        if let Some(Frame::EntryChanges { placed, .. } | Frame::ItemChanges { placed, .. }) =
            self.frames.last_mut()
        {
            placed.push(Placed { key, after });
        }
        Ok(())
    }

    fn open_children(&mut self, node: NodeId, slot: Slot) -> Result<(), DecodeError> {
        let content = ContainerBuilder::default();
        self.open(Frame::Children { parent: Some(node), content, slot })
    }

    fn open_changes(&mut self, node: NodeId, slot: Slot) -> Result<(), DecodeError> {
        self.open(Frame::Changes { parent: Some(node), diff: Diff::default(), slot })
    }

    fn open(&mut self, frame: Frame) -> Result<(), DecodeError> {
        if self.depth >= DEPTH_MAX {
            return Err(DecodeError::TooDeep);
        }
        self.depth += 1;
        self.frames.push(frame);
        Ok(())
    }

    fn open_entries(&mut self, node: NodeId) -> Result<(), DecodeError> {
        self.frames.push(match self.names.kind(node) {
            DataKind::List(order) => {
                Frame::Entries { node, list: EntriesBuilder::new(order, self.seed) }
            }
            DataKind::LeafList(order) => {
                Frame::Items { node, items: EntriesBuilder::new(order, self.seed) }
            }
            DataKind::Leaf | DataKind::Container | DataKind::Any | DataKind::None => {
                return Err(DecodeError::Malformed);
            }
        });
        Ok(())
    }

    /// Ends the innermost frame and puts what was in it into the one around it.
    fn close(&mut self) -> Result<(), DecodeError> {
        match self.frames.pop() {
            Some(Frame::Children { content, slot, .. }) => {
                self.depth = self.depth.saturating_sub(1);
                self.put_container(content.finish(), slot)
            }
            Some(Frame::Entries { node, list }) => {
                let list = list.finish();
                require(!list.is_empty())?;
                match self.frames.last_mut() {
                    Some(Frame::Children { content, .. }) => {
                        require(content.put(node, Child::List(list)))
                    }
                    _ => self.add_change(node, Change::List(EntriesChange::Created(list))),
                }
            }
            Some(Frame::Items { node, items }) => {
                let items = items.finish();
                require(!items.is_empty())?;
                match self.frames.last_mut() {
                    Some(Frame::Children { content, .. }) => {
                        require(content.put(node, Child::LeafList(items)))
                    }
                    _ => self.add_change(node, Change::LeafList(EntriesChange::Created(items))),
                }
            }
            Some(Frame::Changes { diff, slot, .. }) => {
                self.depth = self.depth.saturating_sub(1);
                self.put_diff(diff, slot)
            }
            Some(Frame::EntryChanges { node, entries, placed }) => {
                require(!entries.is_empty() || !placed.is_empty())?;
                self.add_change(node, Change::List(EntriesChange::Changed { entries, placed }))
            }
            Some(Frame::ItemChanges { node, entries, placed }) => {
                require(!entries.is_empty() || !placed.is_empty())?;
                self.add_change(node, Change::LeafList(EntriesChange::Changed { entries, placed }))
            }
            None => Err(DecodeError::Malformed),
        }
    }

    fn put_container(&mut self, container: Container, slot: Slot) -> Result<(), DecodeError> {
        match (self.frames.last_mut(), slot) {
            (None, Slot::Top) => {
                self.finished = Some(Finished::Tree(container));
                Ok(())
            }
            (Some(Frame::Children { content, .. }), Slot::Child(node, _)) => {
                require(content.put(node, Child::Container(container)))
            }
            (Some(Frame::Entries { list, .. }), Slot::Entry(key)) => {
                require(list.push(key, container))
            }
            (Some(Frame::EntryChanges { entries, .. }), Slot::Entry(key)) => {
                push_ascending(entries, key, EntryChange::Created(container))
            }
            (Some(_) | None, _) => Err(DecodeError::Malformed),
        }
    }

    fn put_diff(&mut self, mut diff: Diff, slot: Slot) -> Result<(), DecodeError> {
        // Schema numbers may have been in another order where the record was written.
        diff.changes.sort_by_key(|(node, _)| *node);
        let twins = diff.changes.iter().zip(diff.changes.iter().skip(1));
        require(twins.into_iter().all(|((node, _), (next, _))| node != next))?;
        match (self.frames.last_mut(), slot) {
            (None, Slot::Top) => {
                self.finished = Some(Finished::Diff(diff));
                Ok(())
            }
            (Some(Frame::Changes { .. }), Slot::Child(node, existence)) => {
                require(existence != Existence::Kept || !diff.is_empty())?;
                self.add_change(node, Change::Container { existence, inner: diff })
            }
            (Some(Frame::EntryChanges { entries, .. }), Slot::Entry(key)) => {
                require(!diff.is_empty())?;
                push_ascending(entries, key, EntryChange::Changed(diff))
            }
            (Some(_) | None, _) => Err(DecodeError::Malformed),
        }
    }

    fn add_change(&mut self, node: NodeId, change: Change) -> Result<(), DecodeError> {
        match self.frames.last_mut() {
            Some(Frame::Changes { diff, .. }) => {
                diff.changes.push((node, change));
                Ok(())
            }
            Some(_) | None => Err(DecodeError::Malformed),
        }
    }
}

/// The two texts of a changed leaf; they differ, and one is there.
fn values<'a>(input: &mut Input<'a>) -> Result<(Option<&'a str>, Option<&'a str>), DecodeError> {
    let flags = input.byte()?;
    if flags & !(OLD | NEW) != 0 {
        return Err(DecodeError::Malformed);
    }
    let old = (flags & OLD != 0).then(|| input.text()).transpose()?;
    let new = (flags & NEW != 0).then(|| input.text()).transpose()?;
    if old == new { Err(DecodeError::Malformed) } else { Ok((old, new)) }
}

fn push_ascending<V, D>(
    entries: &mut Changed<V, D>,
    key: Key,
    change: EntryChange<V, D>,
) -> Result<(), DecodeError> {
    require(entries.last().is_none_or(|(last, _)| *last < key))?;
    entries.push((key, change));
    Ok(())
}

fn require(condition: bool) -> Result<(), DecodeError> {
    if condition { Ok(()) } else { Err(DecodeError::Disorder) }
}
