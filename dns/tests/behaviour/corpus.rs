//! What fuzzing has found worth keeping, asked again: every file of `fuzz/corpus` goes through the
//! function its target checks.

use std::fs;
use std::path::Path;

use crate::fuzzed;

/// Calls `check` with each file of a target's corpus.
fn replay(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(target);
    let mut files = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let octets = fs::read(&path).unwrap();
        // The name of the file that fails stands last in the output.
        eprintln!("{}", path.display());
        check(&octets);
        files += 1;
    }
    assert!(files > 0, "no corpus in {}", folder.display());
}

#[test]
fn every_message_of_the_corpus_is_answered_soundly() {
    replay("message", fuzzed::message);
}

#[test]
fn every_subnet_of_the_corpus_is_read_as_it_was_sent() {
    replay("subnet", fuzzed::subnet);
}

#[test]
fn every_edns_of_the_corpus_is_read_alike_by_both_paths() {
    replay("edns", fuzzed::edns);
}

#[test]
fn every_query_of_the_corpus_gets_the_same_octets_from_both_paths() {
    replay("fast_against_slow", fuzzed::fast_against_slow);
}
