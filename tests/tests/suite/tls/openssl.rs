//! What openssl makes goes in, and can be used; what it says of a certificate is what we say.

use std::process::Command;

use communica::Tls;
use communica_tests::Scratch;

use super::files::says;
use super::{assert_echoes, serve};
use crate::certificates::Identity;
use crate::support::{echo, within};

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

pub(super) fn fingerprint(identity: &Identity) -> String {
    let scratch = Scratch::new();
    let path = scratch.path().join("certificate.pem");
    std::fs::write(&path, &identity.chain).unwrap();
    let mut openssl = Command::new("openssl");
    openssl.args(["x509", "-noout", "-fingerprint", "-sha256", "-in"]).arg(path);
    let output = openssl.output();
    let output =
        output.unwrap_or_else(|error| panic!("cannot start openssl ({error}): run `cargo xtask test`"));
    let said = String::from_utf8(output.stdout).unwrap();
    said.trim().split('=').nth(1).expect("it says one").replace(':', "").to_lowercase()
}
