//! A folder goes in; it gets a certificate for `localhost` and an authority that vouches for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What either certificate is for. Some clients refuse one that is an authority, and one without a name.
const PURPOSES: &str = "\
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
[server]
basicConstraints = critical, CA:FALSE
subjectAltName = DNS:localhost, IP:127.0.0.1
";

pub(super) fn ca_file(folder: &Path) -> PathBuf {
    folder.join("authority.pem")
}

/// # Panics
/// `openssl` fails.
pub(super) fn make(folder: &Path) {
    fs::write(folder.join("purposes"), PURPOSES).expect("a file can be written");
    certify(folder, "authority", &[]);
    certify(folder, "server", &["-CA", "authority.pem", "-CAkey", "authority.key"]);
}

/// Lines of `rabbitmq.conf`.
pub(super) fn settings(folder: &Path, port: u16) -> String {
    let path = |name| folder.join(name).display().to_string();
    [
        format!("listeners.ssl.default = 127.0.0.1:{port}"),
        format!("ssl_options.cacertfile = {}", path("authority.pem")),
        format!("ssl_options.certfile = {}", path("server.pem")),
        format!("ssl_options.keyfile = {}", path("server.key")),
        "ssl_options.verify = verify_none".to_owned(),
        "ssl_options.fail_if_no_peer_cert = false".to_owned(),
    ]
    .join("\n")
}

/// A new key, and a certificate signed with it, or by somebody else.
fn certify(folder: &Path, name: &str, signer: &[&str]) {
    let mut openssl = Command::new("openssl");
    openssl.current_dir(folder).args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]);
    openssl.args(["-config", "purposes", "-extensions", name, "-subj", &format!("/CN={name} of tests")]);
    openssl.args(["-keyout", &format!("{name}.key"), "-out", &format!("{name}.pem")]).args(signer);
    let output = openssl
        .output()
        .unwrap_or_else(|error| panic!("cannot start openssl ({error}): run `cargo xtask test`"));
    assert!(output.status.success(), "{openssl:?} failed: {}", String::from_utf8_lossy(&output.stderr));
}
