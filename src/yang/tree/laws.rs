//! The laws of the data tree, on random histories of edits against a naive model.

use super::decode::DecodeError;
use super::model_tests::{
    ANY, Action, Edit, LEAF_A, LEAF_B, Model, PRESENCE, SEED, Spot, TestNames, Way, build,
    edit_model, edit_tree, read,
};
use super::{Container, Tree, TreeDecoder, decode_diff, diff, encode_diff, encode_tree};
use crate::base::ids::Digest;
use proptest::prelude::*;

fn edits(len: usize) -> impl Strategy<Value = Vec<Edit>> {
    let number = || prop_oneof![0..6_u8, any::<u8>()];
    let spot = move || {
        prop_oneof![
            Just(Spot::First),
            Just(Spot::Last),
            number().prop_map(Spot::Before),
            number().prop_map(Spot::After),
        ]
    };
    let way = prop_oneof![
        1 => Just(Way::Container),
        1 => Just(Way::Presence),
        3 => Just(Way::List),
        3 => Just(Way::UserList),
    ];
    let text = prop_oneof!["[ab]{0,3}", "[a-zäö]{20,40}"];
    let action = prop_oneof![
        3 => (prop_oneof![Just(LEAF_A), Just(LEAF_B), Just(ANY)], text)
            .prop_map(|(node, text)| Action::Set(node, text)),
        2 => (LEAF_A..=PRESENCE).prop_map(Action::Delete),
        1 => Just(Action::Presence),
        4 => number().prop_map(Action::Item),
        2 => number().prop_map(Action::RemoveItem),
        4 => (number(), spot()).prop_map(|(number, spot)| Action::UserItem(number, spot)),
        2 => number().prop_map(Action::RemoveUserItem),
        3 => number().prop_map(Action::RemoveEntry),
        3 => number().prop_map(Action::RemoveUserEntry),
        3 => (number(), spot()).prop_map(|(number, spot)| Action::MoveUserEntry(number, spot)),
    ];
    let edit = (prop::collection::vec((way, number()), 0..4), action)
        .prop_map(|(way, action)| Edit { way, action });
    prop::collection::vec(edit, 0..len)
}

fn tree(root: Container) -> Tree {
    Tree { root, seed: SEED }
}

fn encoded(tree: &Tree) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_tree(tree, &TestNames, &mut |chunk| bytes.extend_from_slice(chunk));
    bytes
}

fn decoded(bytes: &[u8], chunk_len: usize) -> Result<Tree, DecodeError> {
    let mut decoder = TreeDecoder::new(&TestNames, SEED);
    bytes.chunks(chunk_len).try_for_each(|chunk| decoder.push(chunk))?;
    decoder.finish()
}

fn digest(content: &Container) -> Digest {
    tree(content.clone()).digest(&TestNames)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn a_tree_is_what_its_edits_made_it(edits in edits(60)) {
        let (mut content, mut model) = (Container::default(), Model::new());
        for edit in &edits {
            let before = (content.clone(), read(&content));
            edit_tree(&mut content, &edit.way, &edit.action);
            edit_model(&mut model, &edit.way, &edit.action);
            prop_assert_eq!(&read(&content), &model);
            prop_assert_eq!(read(&before.0), before.1);
        }
        prop_assert!(build(&model) == content);
    }

    #[test]
    fn a_diff_makes_the_new_tree_of_the_old(first in edits(80), second in edits(30)) {
        let mut old = Container::default();
        for edit in &first {
            edit_tree(&mut old, &edit.way, &edit.action);
        }
        let mut new = old.clone();
        for edit in &second {
            edit_tree(&mut new, &edit.way, &edit.action);
        }
        // Once with shared subtrees and once without.
        for (old, new) in [(old.clone(), new.clone()), (build(&read(&old)), new.clone())] {
            let (old, new) = (tree(old), tree(new));
            prop_assert!(diff(&old, &old).is_empty());
            prop_assert_eq!(diff(&old, &new).is_empty(), old == new);
            prop_assert_eq!(read(&old.root) == read(&new.root), old == new);
            for (from, to) in [(&old, &new), (&new, &old)] {
                let diff = diff(from, to);
                let made = diff.apply(from).expect("it fits");
                prop_assert_eq!(read(&made.root), read(&to.root));
                let bytes = encode_diff(&diff, &TestNames);
                let read_back = decode_diff(&bytes, &TestNames, SEED).expect("it is whole");
                prop_assert!(read_back.apply(from).expect("it fits") == *to);
                prop_assert_eq!(encode_diff(&read_back, &TestNames), bytes);
            }
        }
    }

    #[test]
    fn digests_are_equal_where_trees_are(first in edits(80), second in edits(20)) {
        let (mut content, mut seen) = (Container::default(), Vec::new());
        for (at, edit) in first.iter().chain(&second).enumerate() {
            // Digests that are known at some steps must not outlive the next edit.
            if at % 3 == 0 {
                seen.push((digest(&content), content.clone()));
            }
            edit_tree(&mut content, &edit.way, &edit.action);
        }
        seen.push((digest(&content), content.clone()));
        for (known, content) in &seen {
            let model = read(content);
            prop_assert_eq!(digest(&build(&model)), *known);
            prop_assert_eq!(digest(content), *known);
            for (other_digest, other) in &seen {
                prop_assert_eq!(read(other) == model, other_digest == known);
                prop_assert_eq!(other == content, other_digest == known);
            }
        }
        // Differences of trees whose digests are known.
        let (old, new) = (tree(seen[0].1.clone()), tree(content));
        let rebuilt = tree(build(&read(&new.root)));
        rebuilt.digest(&TestNames);
        prop_assert!(diff(&new, &rebuilt).is_empty());
        let made = diff(&old, &rebuilt).apply(&old).expect("it fits");
        prop_assert_eq!(made.digest(&TestNames), new.digest(&TestNames));
    }

    #[test]
    fn a_tree_comes_back_from_its_bytes(edits in edits(80), chunk_len in 1_usize..200) {
        let mut content = Container::default();
        for edit in &edits {
            edit_tree(&mut content, &edit.way, &edit.action);
        }
        let tree = tree(content);
        let bytes = encoded(&tree);
        prop_assert!(decoded(&bytes, chunk_len).expect("it is whole") == tree);
        let cut = bytes.len().saturating_sub(chunk_len);
        prop_assert_eq!(decoded(&bytes[..cut], 7).err(), Some(DecodeError::Truncated));
        let more = [&bytes[..], &[0]].concat();
        prop_assert_eq!(decoded(&more, more.len()).err(), Some(DecodeError::Trailing));
    }

    #[test]
    fn damaged_bytes_are_refused_or_read_but_never_a_fault(
        edits in edits(60),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut content = Container::default();
        for edit in &edits {
            edit_tree(&mut content, &edit.way, &edit.action);
        }
        let tree = tree(content);
        let empty = Tree::empty(SEED);
        let mut tree_bytes = encoded(&tree);
        let mut diff_bytes = encode_diff(&diff(&empty, &tree), &TestNames);
        for (at, byte) in &damage {
            let (at_tree, at_diff) = (at.index(tree_bytes.len()), at.index(diff_bytes.len()));
            tree_bytes[at_tree] = *byte;
            diff_bytes[at_diff] = *byte;
        }
        if let Ok(other) = decoded(&tree_bytes, 64) {
            prop_assert!(decoded(&encoded(&other), 1000) == Ok(other));
        }
        if let Ok(other) = decode_diff(&diff_bytes, &TestNames, SEED) {
            drop((other.apply(&empty), other.apply(&tree), other.roots(10)));
        }
    }

    #[test]
    fn arbitrary_bytes_are_no_fault(mut bytes in prop::collection::vec(0..14_u8, 0..100)) {
        if let Some(first) = bytes.first_mut() {
            *first = 1;
        }
        drop((decoded(&bytes, 10), decode_diff(&bytes, &TestNames, SEED)));
    }
}
