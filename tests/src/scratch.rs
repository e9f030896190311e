//! Folders and ports that no other test uses.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};

/// A folder of one test, gone when the test is over. Its path is short, as those of sockets must be.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// A new, empty folder.
    ///
    /// # Panics
    /// It cannot be made.
    #[must_use]
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("ct{}-{number}", process::id()));
        // A process of this number may have been killed before it could clear up.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap_or_else(|error| panic!("cannot make {}: {error}", path.display()));
        Self(path)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Scratch {
    /// A failed test shows what its processes wrote.
    fn drop(&mut self) {
        if std::thread::panicking() {
            for entry in fs::read_dir(&self.0).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.extension().is_some_and(|kind| kind == "log") {
                    eprintln!("--- {}\n{}", path.display(), fs::read_to_string(&path).unwrap_or_default());
                }
            }
        }
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A name that nobody else has, in this process or another.
#[must_use]
pub fn unique(what: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{what}-{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// A port nobody listens on. It is below those that systems give to outgoing connections, so nobody is given it in
/// the meantime; two test processes start at different ones.
///
/// # Panics
/// There is none.
#[must_use]
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    const LOWEST: u32 = 10_000;
    const HIGHEST: u32 = 32_000;
    for _ in LOWEST..HIGHEST {
        let step = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = (LOWEST + (process::id() * 97 + step) % (HIGHEST - LOWEST)) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port between {LOWEST} and {HIGHEST}");
}
