//! The recordings that the wire is tested with are what the library writes.

use communica_tests::{in_time, python};
use tokio::process::Command;

#[tokio::test]
async fn recordings_are_what_the_library_writes() {
    let mut check = Command::new(python::interpreter());
    check.arg(python::script("record.py")).arg("--check").kill_on_drop(true);
    let output = in_time(check.output()).await.expect("Python starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
