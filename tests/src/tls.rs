//! What one side of a stage has for TLS goes in; the files that its process is to read come out.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

/// Certificates and a key of one side, in PEM.
#[derive(Clone, Debug, Default)]
pub struct TlsSide {
    /// Authorities.
    pub trust: String,
    /// Chain and key.
    pub identity: Option<(String, String)>,
    /// A server lets in only clients that prove who they are.
    pub demand: bool,
    /// Python speaks nothing newer, such as `TLSv1_2`.
    pub newest: Option<&'static str>,
}

impl TlsSide {
    /// The `tls` of a peer's configuration.
    pub(crate) fn files(&self, folder: &Path, side: &str) -> Value {
        let file = |what: &str, text: &str| {
            let path = folder.join(format!("{side}.{what}"));
            fs::write(&path, text).expect("the stage's folder can be written to");
            path
        };
        let (chain, key) =
            self.identity.as_ref().map(|(chain, key)| (file("chain", chain), file("key", key))).unzip();
        let trust = file("trust", &self.trust);
        json!({"trust": trust, "chain": chain, "key": key, "demand": self.demand, "newest": self.newest})
    }
}
