//! What the project lacks goes in; Debian's packages of it are installed, or a person is told how to.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::tools::{Outcome, at, is_root, output, run, say};

/// Says what it does. Without apt or root, the error says what to run.
pub(crate) fn install(lacking: &str, packages: &[&str]) -> Outcome {
    let names = packages.join(" ");
    let has_apt = output(Command::new("apt-get").arg("--version")).is_ok();
    if !has_apt || !is_root() {
        return Err(format!(
            "there is no {lacking} here; on Debian this mends it: \
             `sudo sh -c 'apt-get update && apt-get install -y --no-install-recommends {names}'`"
        ));
    }
    say(&format!("there is no {lacking} here: installing the packages {names}"));
    run(apt_get().args(["update", "-q"]))?;
    run(apt_get().args(["install", "-q", "-y", "--no-install-recommends"]).args(packages))
}

/// As [`install`], and services that the packages bring are not started.
pub(crate) fn install_quietly(lacking: &str, packages: &[&str]) -> Outcome {
    let _policy = NoServices::declare()?;
    install(lacking, packages)
}

/// Waits for other runs of apt to end.
fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.args(["-o", "DPkg::Lock::Timeout=600"]).env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// While it lives, packages start no services: Debian's maintainer scripts ask this file.
struct NoServices {
    is_ours: bool,
}

impl NoServices {
    const FILE: &str = "/usr/sbin/policy-rc.d";

    /// Somebody else's policy is left alone.
    fn declare() -> Outcome<Self> {
        let file = Path::new(Self::FILE);
        if file.exists() || !is_root() {
            return Ok(Self { is_ours: false });
        }
        let policy = Self { is_ours: true };
        fs::write(file, "#!/bin/sh\nexit 101\n").map_err(at("write", file))?;
        output(Command::new("chmod").args(["755", Self::FILE]))?;
        Ok(policy)
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.is_ours {
            if let Err(error) = fs::remove_file(Self::FILE) {
                say(&format!("{} must be removed by hand: {error}", Self::FILE));
            }
        }
    }
}
