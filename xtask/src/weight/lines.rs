//! A package's folder goes in, the number of lines that its author had to write comes out.

use std::fs;
use std::path::Path;

use crate::tools::{Outcome, at};

/// Lines of Rust and of protobuf, in every folder below, without blank ones and comments.
pub(super) fn of_code(folder: &Path) -> Outcome<usize> {
    let mut count = 0;
    for entry in fs::read_dir(folder).map_err(at("read", folder))? {
        let path = entry.map_err(at("read", folder))?.path();
        if path.is_dir() {
            count += of_code(&path)?;
        } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "proto") {
            let text = fs::read_to_string(&path).map_err(at("read", &path))?;
            // Comments have lines of their own there; rustfmt makes no others.
            count += text
                .lines()
                .map(str::trim)
                .filter(|line| !line.is_empty() && !line.starts_with("//"))
                .count();
        }
    }
    Ok(count)
}

/// The lines of Cargo.toml that name a dependency.
pub(super) fn of_dependencies(folder: &Path) -> Outcome<usize> {
    let manifest = folder.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).map_err(at("read", &manifest))?;
    let dependencies = text.lines().skip_while(|line| *line != "[dependencies]");
    Ok(dependencies.filter(|line| line.contains(" = ")).count())
}
