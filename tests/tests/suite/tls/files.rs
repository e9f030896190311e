//! PEM, good and broken, goes in; it is understood, or one sentence says what is wrong with it, where, and what to do.

use std::fs;

use communica::{Tls, TlsError};
use communica_tests::Scratch;

use crate::certificates::{Authority, Identity};

fn identity() -> Identity {
    Authority::new().certify(&["127.0.0.1"])
}

pub(super) fn says(result: Result<Tls, TlsError>, words: &[&str]) {
    let said = result.expect_err("it was taken").to_string();
    for word in words {
        assert!(said.contains(word), "{said:?} says nothing of {word:?}");
    }
    assert!(!said.contains('\n'), "{said:?} is no sentence");
}

#[test]
fn texts_that_are_no_certificates() {
    let (chain, key) = (identity().chain, identity().key);
    says(
        Tls::new().trust(""),
        &["there is no certificate in the text given to `Tls::trust`", "BEGIN CERTIFICATE"],
    );
    says(Tls::new().trust(&key), &["there is no certificate"]);
    let cut = &chain[..chain.len() / 2];
    says(Tls::new().trust(cut), &["a certificate in the text given to `Tls::trust` is damaged"]);
    says(Tls::new().identity(cut, &key), &["a certificate in the text given to `Tls::identity` is damaged"]);
    let junk = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    says(Tls::new().trust(format!("{chain}{junk}")), &["certificate 2 in", "damaged"]);
    says(Tls::new().identity(junk, &key), &["first certificate in", "damaged"]);
}

/// Nothing of the key is in the words.
#[test]
fn texts_that_are_no_keys() {
    let Identity { chain, key } = identity();
    let of = |key: &str| Tls::new().identity(&chain, key);
    says(of(""), &["there is no key in the text given to `Tls::identity`", "BEGIN PRIVATE KEY"]);
    says(of(&chain), &["there is no key"]);
    let secret = &key[40..60];
    for broken in [&key[..key.len() / 2], &key.replacen(secret, "!!!!", 1)] {
        let error = of(broken).expect_err("it was taken");
        says(of(broken), &["the key in the text given to `Tls::identity` is damaged"]);
        assert!(!format!("{error:?}").contains(&key[60..70]), "{error:?}");
    }
    let short = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    says(of(short), &["cannot be used", "RSA", "ECDSA", "Ed25519"]);
}

#[test]
fn a_key_that_does_not_fit() {
    let (desk, other) = (identity(), identity());
    says(Tls::new().identity(&desk.chain, &other.key), &["does not fit the first certificate"]);
    // The authority's stands first.
    let chain = format!("{}{}", other.chain, desk.chain);
    says(Tls::new().identity(chain, &desk.key), &["does not fit the first certificate", "behind it"]);
}

#[test]
fn files_are_named() {
    let scratch = Scratch::new();
    let path = |name: &str| scratch.path().join(name);
    let Identity { chain, key } = identity();
    fs::write(path("chain.pem"), &chain).unwrap();
    fs::write(path("key.pem"), &key).unwrap();
    fs::write(path("both.pem"), format!("{chain}{key}")).unwrap();
    fs::write(path("other.pem"), identity().key).unwrap();
    Tls::new().identity_files(path("chain.pem"), path("key.pem")).unwrap();
    let both = Tls::new().identity_files(path("both.pem"), path("both.pem")).unwrap();
    assert_eq!(both, Tls::new().identity(&chain, &key).unwrap());
    Tls::new().trust_file(path("both.pem")).unwrap();

    let nothing = path("nothing.pem").display().to_string();
    says(Tls::new().trust_file(path("nothing.pem")), &[&nothing, "cannot be read"]);
    says(Tls::new().identity_files(path("chain.pem"), path("nothing.pem")), &[&nothing, "cannot be read"]);
    let (chain, other) = (path("chain.pem").display().to_string(), path("other.pem").display().to_string());
    says(Tls::new().identity_files(path("chain.pem"), path("other.pem")), &[&chain, &other, "does not fit"]);
    says(Tls::new().trust_file(path("other.pem")), &[&other, "there is no certificate"]);
}
