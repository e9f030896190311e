//! Processes of the Python library and ours go in, in every combination; what one says the other must understand.

#[allow(dead_code)]
#[path = "suite/certificates.rs"]
mod certificates;
#[path = "python/chunks.rs"]
mod chunks;
#[path = "python/everything.rs"]
mod everything;
#[path = "python/failures.rs"]
mod failures;
#[path = "python/folder.rs"]
mod folder;
#[path = "python/matrix.rs"]
mod matrix;
#[path = "python/readme.rs"]
mod readme;
#[path = "python/recordings.rs"]
mod recordings;
#[path = "python/refusals.rs"]
mod refusals;
#[path = "python/restart.rs"]
mod restart;
#[path = "python/rules.rs"]
mod rules;
#[path = "python/tls.rs"]
mod tls;
#[path = "python/too_large.rs"]
mod too_large;
#[path = "python/typed.rs"]
mod typed;

fn usual() -> communica_tests::Stage {
    communica_tests::Stage::usual()
}
