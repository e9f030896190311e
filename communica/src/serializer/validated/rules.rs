//! A value → the rules that it breaks, in one sentence of bounded length.

use std::fmt::{self, Display, Write};

use crate::SerializerError;

/// Bytes of the sentence, about; what does not fit is counted.
const SENTENCE: usize = 2048;
/// Bytes of a path in it, which may hold keys of the peer's choice.
const PATH: usize = 128;
/// Bytes of a rule in it.
const RULE: usize = 256;

/// A value that can be checked against the rules of its type, so that a [`ValidatedSerializer`](crate::ValidatedSerializer) takes it.
///
/// Types with rules get it from [`validated!`](crate::validated).
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say which rules its values keep",
    label = "a `ValidatedSerializer` cannot check this type",
    note = "add `#[derive(garde::Validate)]` to the type, and `communica::validated!({Self});` below it"
)]
pub trait Validated {
    /// Tells every rule that the value breaks.
    fn check(&self, broken: &mut BrokenRules);
}

/// The rules that a value breaks, each with the path of the field that breaks it. Collected by [`Validated::check`].
#[derive(Debug, Default)]
pub struct BrokenRules {
    /// Where in the value `check` is.
    path: String,
    sentence: String,
    count: usize,
    /// How many of them are not in the sentence.
    untold: usize,
}

impl BrokenRules {
    pub(super) fn of<T: Validated + ?Sized>(value: &T) -> Result<(), SerializerError> {
        let mut broken = Self::default();
        value.check(&mut broken);
        match broken.count {
            0 => Ok(()),
            _ => Err(SerializerError::about_value(broken.into_sentence())),
        }
    }

    /// Checks a value that is part of this one: a field, by its name.
    pub fn field<T: Validated + ?Sized>(&mut self, name: &str, value: &T) {
        let dot = if self.path.is_empty() { "" } else { "." };
        self.at(format_args!("{dot}{name}"), value);
    }

    /// Checks a value that is part of this one: an element, by its index or key.
    pub fn element<T: Validated + ?Sized>(&mut self, key: impl Display, value: &T) {
        self.at(format_args!("[{key}]"), value);
    }

    fn at<T: Validated + ?Sized>(&mut self, step: fmt::Arguments<'_>, value: &T) {
        let len = self.path.len();
        let _ = self.path.write_fmt(step);
        value.check(self);
        self.path.truncate(len);
    }

    /// Tells that the value breaks this rule.
    pub fn rule(&mut self, rule: impl Display) {
        self.add(&"", &rule);
    }

    /// Tells what garde finds wrong with the value.
    pub fn by_garde<T: garde::Validate<Context = ()> + ?Sized>(&mut self, value: &T) {
        if let Err(report) = value.validate() {
            for (path, error) in report.iter() {
                self.add(path, error);
            }
        }
    }

    fn add(&mut self, path: &dyn Display, rule: &dyn Display) {
        self.count += 1;
        if self.sentence.len() >= SENTENCE {
            self.untold += 1;
            return;
        }
        if self.count > 1 {
            self.sentence.push_str("; ");
        }
        // Keys in it may be of any length, and there may be many rules.
        let path = &*beginning(path, PATH);
        let dot = if self.path.is_empty() || path.is_empty() || path.starts_with('[') { "" } else { "." };
        let place = beginning(&format_args!("{}{dot}{path}", self.path), PATH);
        let colon = if place.is_empty() { "" } else { ": " };
        let rule = beginning(rule, RULE);
        let _ = write!(self.sentence, "{place}{colon}{rule}");
    }

    pub(in crate::serializer) fn into_sentence(mut self) -> String {
        if self.untold > 0 {
            let _ = write!(self.sentence, "; and {} more", self.untold);
        }
        self.sentence
    }
}

/// So many bytes of what is shown, about; no more of it is written.
fn beginning(shown: &dyn Display, most: usize) -> String {
    struct Beginning(String, usize);
    impl Write for Beginning {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            let room = self.1 - self.0.len();
            if text.len() <= room {
                self.0.push_str(text);
                return Ok(());
            }
            let end = (0..=room).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
            self.0.push_str(&text[..end]);
            Err(fmt::Error)
        }
    }
    let mut beginning = Beginning(String::new(), most);
    let whole = write!(beginning, "{shown}").is_ok();
    if !whole {
        beginning.0.push('…');
    }
    beginning.0
}
