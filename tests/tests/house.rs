//! The rules of the house, kept by the machine: who may depend on whom, what is stated where, and that the pages tell
//! the truth about the tree.
//!
//! The decision: each rule is a function from plain values (manifests, file texts, package facts) to findings, with one
//! test on the real tree and one on a small made-up tree that must turn it red. The option not taken is to assert on the
//! real tree alone; such a rule can rot into one that cannot fail.
//!
//! Must stay true: the rules read files and `cargo metadata`, change nothing, and name the file and the remedy.

mod house {
    mod dependencies;
    mod directions;
    mod manifest;
    mod markdown;
    mod pages;
    mod repo;
    mod rooms;
    mod sources;
    mod toolchain;
    mod workspace;
}
