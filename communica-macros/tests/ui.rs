//! What compiles, and what users read when it does not.

#[test]
fn what_compiles_and_what_users_read_when_it_does_not() {
    let tests = trybuild::TestCases::new();
    tests.pass("tests/ui/pass/*.rs");
    tests.compile_fail("tests/ui/fail/*.rs");
}
