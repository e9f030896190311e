//! PEM, good and broken, goes in; it is understood, or one sentence says what is wrong with it, where, and what to do.

use std::fs;
use std::process::Command;

use communica::{Tls, TlsError};
use communica_tests::Scratch;

use super::{assert_echoes, serve};
use crate::certificates::{Authority, Identity};
use crate::support::{echo, within};

fn identity() -> Identity {
    Authority::new().certify(&["127.0.0.1"])
}

fn says(result: Result<Tls, TlsError>, words: &[&str]) {
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

/// What the docs of `Tls` say.
#[tokio::test]
async fn certificates_made_as_the_docs_say_can_be_used() {
    const COMMANDS: &str = r#"
        new="req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365"
        openssl $new -subj /CN=authority -keyout authority.key -out authority.pem
        openssl $new -subj /CN=desk -CA authority.pem -CAkey authority.key -addext basicConstraints=critical,CA:FALSE \
            -addext subjectAltName=DNS:desk.example.org -keyout desk.key -out desk.pem
    "#;
    let scratch = Scratch::new();
    let shell = Command::new("sh").current_dir(scratch.path()).args(["-ec", COMMANDS]).output().unwrap();
    let said = String::from_utf8_lossy(&shell.stderr);
    assert!(shell.status.success(), "openssl failed; if it is missing, run `cargo xtask test`: {said}");
    let path = |name: &str| scratch.path().join(name);
    let server = Tls::new().identity_files(path("desk.pem"), path("desk.key")).unwrap();
    let client = Tls::new().trust_file(path("authority.pem")).unwrap().server_name("desk.example.org");
    let (_server, connector) = serve(server, client, echo()).await;
    within(5, assert_echoes(connector)).await;
}

/// What openssl writes: each kind of key, in each form.
#[tokio::test]
async fn every_kind_of_key_can_be_used() {
    let scratch = Scratch::new();
    let openssl = |arguments: &str| {
        let mut openssl = Command::new("openssl");
        let output = openssl.current_dir(scratch.path()).args(arguments.split(' ')).output();
        let output =
            output.unwrap_or_else(|error| panic!("cannot start openssl ({error}): run `cargo xtask test`"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {arguments} failed: {said}");
    };
    openssl("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.key");
    openssl("rsa -in rsa.key -traditional -out rsa-pkcs1.key");
    openssl("ecparam -name secp384r1 -genkey -out ec-sec1.key");
    openssl("genpkey -algorithm ED25519 -out ed25519.key");
    for key in ["rsa", "rsa-pkcs1", "ec-sec1", "ed25519"] {
        let names =
            "-subj /CN=desk -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE";
        openssl(&format!("req -x509 -key {key}.key {names} -days 2 -out {key}.pem"));
        let path = |end: &str| scratch.path().join(format!("{key}.{end}"));
        let server = Tls::new().identity_files(path("pem"), path("key")).unwrap();
        let client = Tls::new().trust_file(path("pem")).unwrap();
        let (_server, connector) = serve(server, client, echo()).await;
        within(5, assert_echoes(connector)).await;
    }
    openssl("pkcs8 -topk8 -in rsa.key -passout pass:secret -out encrypted.key");
    let chain = scratch.path().join("rsa.pem");
    says(
        Tls::new().identity_files(&chain, scratch.path().join("encrypted.key")),
        &["encrypted.key", "is encrypted", "openssl pkey"],
    );
    openssl("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out weak.key");
    says(Tls::new().identity_files(&chain, scratch.path().join("weak.key")), &["weak.key", "2048 bits"]);
}
