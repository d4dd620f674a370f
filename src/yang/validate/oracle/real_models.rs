//! Random edits of standard models, judged as those of random models are.

use super::random_data::RandomData;
use super::{Counts, walk};
use crate::yang::libyang::{CompileOptions, compile};
use std::path::PathBuf;
use std::sync::Arc;

const MODULES: [&str; 12] = [
    "ietf-interfaces",
    "iana-if-type",
    "ietf-ip",
    "ietf-routing",
    "ietf-ipv4-unicast-routing",
    "ietf-ipv6-unicast-routing",
    "ietf-system",
    "ietf-netconf-acm",
    "ietf-access-control-list",
    "ietf-hardware",
    "iana-hardware",
    "ietf-alarms",
];

/// The standard has none of these.
const ALARMS: &str = "module alarm-types { namespace 'urn:alarm-types'; prefix t; \
    import ietf-alarms { prefix al; } identity link { base al:alarm-type-id; } \
    identity down { base link; } }";

#[test]
fn libyang_says_the_same_of_real_models() {
    let long = std::env::var_os("QUORATE_TEST_LONG").is_some();
    let walks = if long { 200 } else { 4 };
    let first: u64 = std::env::var("QUORATE_TEST_SEED").map_or(1, |seed| seed.parse().unwrap());
    let schema = compile(&CompileOptions {
        dirs: vec![PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/yang/standard"))],
        modules: MODULES.iter().chain(&["alarm-types"]).map(|m| ((*m).into(), None)).collect(),
        features: MODULES.map(|name| (name.to_owned(), "*".to_owned())).to_vec(),
        sources: vec![("alarm-types".to_owned(), ALARMS.to_owned())],
    });
    let schema = Arc::new(schema.unwrap());
    assert_eq!(RandomData::new(&schema, 0).without_values(), Vec::<String>::new());
    let mut counts = Counts::default();
    for seed in first..first + walks {
        walk((&schema, "standard models"), (seed, 100), &mut counts);
    }
    let steps = counts.valid + counts.invalid;
    println!("seeds {first} to {}: {counts:?}", first + walks);
    assert!(counts.valid > steps / 5 && counts.invalid > steps / 10 && counts.removed > 0);
}
