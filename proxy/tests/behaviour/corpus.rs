//! What fuzzing has found worth keeping, asked again.

use std::fs;
use std::path::Path;

use crate::fuzzed;

fn replay(target: &str, check: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    let folder = corpus.join(target);
    let mut files = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        // The name of the file that fails stands last in the output.
        eprintln!("{}", path.display());
        check(&fs::read(&path).unwrap());
        files += 1;
    }
    assert!(files > 0, "no corpus in {}", folder.display());
}

#[test]
fn every_hello_of_the_corpus_is_read_alike_in_pieces() {
    replay("hello", fuzzed::hello);
}

#[test]
fn every_proxy_header_of_the_corpus_is_read_alike_in_pieces() {
    replay("proxy_header", fuzzed::proxy_header);
}
