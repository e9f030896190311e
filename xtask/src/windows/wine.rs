//! A folder goes in, a private Windows comes out, which is gone when it is dropped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::MINGW;
use crate::tools::{Outcome, at, root, run, say};

const WINE: &str = "/usr/lib/wine/wine64";
const SERVER: &str = "/usr/lib/wine/wineserver64";
/// Making a prefix takes 20 s where nothing else runs.
const PATIENCE: Duration = Duration::from_secs(300);

pub(super) fn is_there() -> bool {
    Path::new(WINE).exists() && Path::new(SERVER).exists()
}

/// A prefix of our own, and its server, which ends with it: so do all programs in it.
pub(super) struct Wine {
    prefix: PathBuf,
    server: Child,
}

impl Wine {
    /// Makes the prefix if it is not whole. `home`: its folder, and that of the few things made for it.
    pub(super) fn start(home: &Path) -> Outcome<Self> {
        let stamp = home.join("complete");
        let is_whole = fs::read_to_string(&stamp).is_ok_and(|made_of| made_of == sources());
        if !is_whole && home.exists() {
            fs::remove_dir_all(home).map_err(at("remove", home))?;
        }
        let prefix = home.join("prefix");
        fs::create_dir_all(&prefix).map_err(at("make", &prefix))?;
        let server = in_silence(&mut server_of(&prefix, &["-f", "-p"]))
            .spawn()
            .map_err(|error| format!("cannot start {SERVER}: {error}"))?;
        let wine = Self { prefix, server };
        if !is_whole {
            say("making a Windows under target/wine, which takes half a minute");
            wine.make(home)?;
            fs::write(&stamp, sources()).map_err(at("write", &stamp))?;
        }
        // Its services start with the first program, and would inherit its output.
        finish(in_silence(wine.command().args(["cmd", "/c", "exit"])))?;
        Ok(wine)
    }

    fn make(&self, home: &Path) -> Outcome {
        finish(in_silence(self.command().args(["wineboot", "-i"])))?;
        let system = self.prefix.join("drive_c/windows/system32");
        // Every Rust program needs it, and wine 8 does not have it.
        let library = ["-shared", "-o", "bcryptprimitives.dll", "-ladvapi32"];
        compile("bcryptprimitives.c", &system, &library)?;
        compile("console.c", home, &["-o", "console.exe"])
    }

    /// A Windows program, which finds its temp folder where ours do.
    pub(super) fn program(&self, program: &Path, scratch: &Path) -> Command {
        let mut command = self.command();
        command.arg(program.with_extension("exe")).env("TMPDIR", scratch);
        command
    }

    /// The program that presses Ctrl-C.
    pub(super) fn console(&self) -> PathBuf {
        self.prefix.with_file_name("console.exe")
    }

    /// How to start a program, for whoever starts it later, a word a line.
    pub(super) fn words(&self, program: &Path) -> String {
        format!("{WINE}\n{}", program.display())
    }

    /// Cargo's tests run here.
    pub(super) fn runs_what_cargo_builds<'c>(
        &self,
        command: &'c mut Command,
        target: &str,
    ) -> &'c mut Command {
        let target = target.replace('-', "_").to_uppercase();
        self.environment(command).env(format!("CARGO_TARGET_{target}_RUNNER"), WINE)
    }

    /// Windows programs that the command starts run in this prefix.
    pub(super) fn environment<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        environment(command, &self.prefix)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(WINE);
        self.environment(&mut command);
        command
    }
}

impl Drop for Wine {
    /// Ends every program in the prefix, then waits for the server.
    fn drop(&mut self) {
        let _ = finish(in_silence(&mut server_of(&self.prefix, &["-k"])));
        if let Err(reason) = wait(&mut self.server) {
            say(&format!("wine's server is killed: {reason}"));
            let _ = self.server.kill();
            let _ = self.server.wait();
        }
    }
}

fn server_of(prefix: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(SERVER);
    environment(&mut command, prefix).args(arguments);
    command
}

fn environment<'c>(command: &'c mut Command, prefix: &Path) -> &'c mut Command {
    // No chatter, and no offers to install what web pages and .NET need.
    command.env("WINEPREFIX", prefix).env("WINEDEBUG", "-all").env("WINEDLLOVERRIDES", "mscoree,mshtml=")
}

/// Daemons outlive who started them: they must not hold anybody's pipes.
fn in_silence(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())
}

fn finish(command: &mut Command) -> Outcome {
    let started = command.spawn();
    let mut child = started.map_err(|error| format!("cannot start {:?}: {error}", command.get_program()))?;
    wait(&mut child).map_err(|reason| format!("{command:?}: {reason}"))
}

fn wait(child: &mut Child) -> Outcome {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match child.try_wait().map_err(|error| error.to_string())? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(format!("it ended with {status}")),
            None if Instant::now() > deadline => {
                let _ = child.kill();
                let _ = child.wait();
                return Err("it did not end in time".to_owned());
            }
            None => thread::sleep(Duration::from_millis(20)),
        }
    }
}

fn compile(source: &str, into: &Path, arguments: &[&str]) -> Outcome {
    run(Command::new(MINGW).current_dir(into).arg("-O2").arg(folder().join(source)).args(arguments))
}

fn folder() -> PathBuf {
    root().join("xtask/src/windows")
}

/// What the prefix is made of.
fn sources() -> String {
    let read = |name: &str| fs::read_to_string(folder().join(name)).unwrap_or_default();
    read("bcryptprimitives.c") + &read("console.c")
}
