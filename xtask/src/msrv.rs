//! The stated minimum Rust version goes in; a compiler of that version must accept the library.
//!
//! The compiler is rustup's where it is installed, else Debian's package of it, unpacked under
//! target/msrv and kept. Today's cargo drives it, with a build folder of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::features;
use crate::tools::{Outcome, at, cargo, is_root, output, root, run, say};

/// Packages that the compiler itself needs, beside those that carry its version.
const LLVM: [&str; 1] = ["libllvm19"];
/// Features that need a newer Rust, because of what they are made of; their docs say so.
const NEWER: [&str; 3] = ["full", "rabbitmq", "rabbitmq-tls"];
/// What LLVM needs, and most machines have.
const LIBRARIES: [&str; 7] = ["libz3-4", "libedit2", "libbsd0", "libmd0", "libxml2", "libicu72", "libffi8"];

pub(crate) fn check() -> Outcome {
    let version = stated_version()?;
    let compiler = match of_rustup(&version) {
        Some(compiler) => compiler,
        None => of_debian(&version)?,
    };
    let told = compiler.release()?;
    if !told.starts_with(&format!("{version}.")) {
        return Err(format!("{} is Rust {told}, not {version}", compiler.rustc.display()));
    }
    say(&format!("Rust {told}: {}", compiler.rustc.display()));
    let mut check = cargo();
    let features: Vec<String> =
        features::names()?.into_iter().filter(|name| !NEWER.contains(&name.as_str())).collect();
    say(&format!("features: {}", features.join(", ")));
    check.args(["check", "-p", "communica", "-p", "communica-macros", "--no-default-features"]);
    check.args(["--features", &features.join(",")]);
    check.arg("--target-dir").arg(root().join("target/msrv/build"));
    run(compiler.chosen_in(&mut check))
}

/// A rustc, and where its shared libraries are when that is not where it looks.
struct Compiler {
    rustc: PathBuf,
    libraries: Option<PathBuf>,
}

impl Compiler {
    fn chosen_in<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.env("RUSTC", &self.rustc).env_remove("RUSTC_WRAPPER");
        if let Some(libraries) = &self.libraries {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        command
    }

    /// Such as `1.85.0`.
    fn release(&self) -> Outcome<String> {
        let told = output(self.chosen_in(Command::new(&self.rustc).arg("-vV")))?;
        let release = told.lines().find_map(|line| line.strip_prefix("release: "));
        release.map(str::to_owned).ok_or_else(|| format!("{} names no release", self.rustc.display()))
    }
}

/// `rust-version` of the workspace, such as `1.85`.
fn stated_version() -> Outcome<String> {
    let manifest = root().join("Cargo.toml");
    let text = fs::read_to_string(&manifest).map_err(at("read", &manifest))?;
    let line = text.lines().find_map(|line| line.strip_prefix("rust-version = "));
    let version = line.map(|value| value.trim_matches('"').to_owned());
    version.ok_or_else(|| format!("{} states no rust-version", manifest.display()))
}

fn of_rustup(version: &str) -> Option<Compiler> {
    let installed = output(Command::new("rustup").args(["toolchain", "list", "--quiet"])).ok()?;
    let name = installed.lines().find(|name| {
        name.strip_prefix(version).is_some_and(|rest| rest.starts_with('.') || rest.starts_with('-'))
    })?;
    let rustc = output(Command::new("rustup").args(["which", "--toolchain", name, "rustc"])).ok()?;
    Some(Compiler { rustc: rustc.trim_end().into(), libraries: None })
}

fn of_debian(version: &str) -> Outcome<Compiler> {
    let home = root().join("target/msrv").join(version);
    let libraries = output(Command::new("dpkg-architecture").arg("-qDEB_HOST_MULTIARCH"))
        .or_else(|_| output(Command::new("gcc").arg("-print-multiarch")))
        .map(|name| home.join("usr/lib").join(name.trim_end()));
    let libraries = libraries.map_err(|reason| advice(version, &reason))?;
    let compiler = Compiler { rustc: home.join("usr/bin/rustc"), libraries: Some(libraries) };
    if compiler.release().is_err() {
        fetch(version, &home, &compiler).map_err(|reason| advice(version, &reason))?;
    }
    Ok(compiler)
}

fn advice(version: &str, reason: &str) -> String {
    format!(
        "there is no Rust {version} to check with: {reason}\n\
         `rustup toolchain install {version} --profile minimal` mends this"
    )
}

/// Unpacks the packages into `home`, without installing them.
fn fetch(version: &str, home: &Path, compiler: &Compiler) -> Outcome {
    if home.exists() {
        fs::remove_dir_all(home).map_err(at("remove", home))?;
    }
    if is_root() {
        run(Command::new("apt-get").args(["update", "-q"]))?;
    }
    let package_version = package_version(version)?;
    let of_rust =
        ["rustc-web".to_owned(), "libstd-rust-web-dev".to_owned(), format!("libstd-rust-web-{version}")];
    let mut packages: Vec<String> = of_rust.iter().map(|name| format!("{name}={package_version}")).collect();
    packages.extend(LLVM.map(str::to_owned));
    unpack(&packages, home)?;
    if compiler.release().is_err() {
        unpack(&LIBRARIES.map(str::to_owned), home)?;
    }
    compiler.release().map(drop)
}

/// Debian's full version of the compiler, such as `1.85.0+dfsg3-1~deb12u3`.
fn package_version(version: &str) -> Outcome<String> {
    let offered = output(Command::new("apt-cache").args(["madison", "rustc-web"]))?;
    let versions = offered.lines().filter_map(|line| line.split('|').nth(1)).map(str::trim);
    let wanted = versions.into_iter().find(|offer| offer.starts_with(&format!("{version}.")));
    wanted
        .map(str::to_owned)
        .ok_or_else(|| format!("no package `rustc-web` of version {version} is on offer"))
}

fn unpack(packages: &[String], home: &Path) -> Outcome {
    let archives = home.join("packages");
    fs::create_dir_all(&archives).map_err(at("make", &archives))?;
    run(Command::new("apt-get").args(["download", "-q"]).args(packages).current_dir(&archives))?;
    for entry in fs::read_dir(&archives).map_err(at("list", &archives))? {
        let archive = entry.map_err(at("list", &archives))?.path();
        run(Command::new("dpkg").arg("-x").arg(&archive).arg(home))?;
    }
    fs::remove_dir_all(&archives).map_err(at("remove", &archives))
}
