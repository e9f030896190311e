//! A folder of templates goes in, a package with a service of fifty methods comes out.
//!
//! The lines between `@item` and `@end` are written for each of the types; those after `@each`, `@plain` and
//! `@refusing` for each of the methods, for those that cannot fail, and for those that may. All take an item, a count
//! and a note, and give the next item; every third may refuse. `$index`, `$takes`, `$gives` are the numbers of the
//! method and its items, `$salt` is another one after each change, and `$root` the folder of the project.

use std::fs;
use std::path::PathBuf;

use crate::tools::{Outcome, at, root};

const METHODS: usize = 50;
const ITEMS: usize = 10;

pub(super) struct Fifty {
    templates: PathBuf,
    pub(super) package: PathBuf,
}

impl Fifty {
    pub(super) fn write(templates: PathBuf, package: PathBuf) -> Outcome<Self> {
        let fifty = Self { templates, package };
        for entry in fs::read_dir(&fifty.templates).map_err(at("read", &fifty.templates))? {
            let name = entry.map_err(at("read", &fifty.templates))?.file_name();
            let name = name.to_string_lossy();
            let name = name.strip_suffix(".template").ok_or(format!("{name} is no template"))?;
            fifty.save(name, &fifty.filled(name, 0)?)?;
        }
        Ok(fifty)
    }

    /// Writes the service again, with another body for one of its methods in each round.
    pub(super) fn change(&self, round: usize) -> Outcome {
        self.save("service.rs", &self.filled("service.rs", round)?)
    }

    /// Writes the service with a body that does not compile.
    pub(super) fn spoil(&self) -> Outcome {
        self.save("service.rs", &self.filled("service.rs", 0)?.replacen("item.id", "item.number", 1))
    }

    fn filled(&self, name: &str, round: usize) -> Outcome<String> {
        let template = self.templates.join(format!("{name}.template"));
        Ok(filled(&fs::read_to_string(&template).map_err(at("read", &template))?, round))
    }

    fn save(&self, name: &str, text: &str) -> Outcome {
        // Where cargo looks for it; the crate's own files are all in one folder.
        let inside = if name.ends_with(".rs") && name != "build.rs" { "src" } else { "" };
        let folder = self.package.join(inside);
        fs::create_dir_all(&folder).map_err(at("make", &folder))?;
        let path = folder.join(name);
        fs::write(&path, text).map_err(at("write", &path))
    }
}

fn filled(template: &str, round: usize) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, block)) = rest.split_once('@') {
        let (kind, block) = block.split_once('\n').expect("the kind of a block is a line");
        let (block, after) = block.split_once("@end\n").expect("a block has an end");
        text += before;
        text.extend(numbers(kind).into_iter().map(|index| numbered(block, index, round)));
        rest = after;
    }
    (text + rest).replace("$root", &root().display().to_string())
}

/// The numbers of the items, or of those methods.
fn numbers(kind: &str) -> Vec<usize> {
    let refusing = |index: &usize| index % 3 == 0;
    match kind {
        "item" => (0..ITEMS).collect(),
        "each" => (0..METHODS).collect(),
        "plain" => (0..METHODS).filter(|index| !refusing(index)).collect(),
        "refusing" => (0..METHODS).filter(refusing).collect(),
        _ => panic!("a template has a block @{kind}, which there is not"),
    }
}

fn numbered(block: &str, index: usize, round: usize) -> String {
    let salt = if index == round * 7 % METHODS { round } else { 0 };
    block
        .replace("$index", &index.to_string())
        .replace("$takes", &(index % ITEMS).to_string())
        .replace("$gives", &((index + 1) % ITEMS).to_string())
        .replace("$salt", &salt.to_string())
}
