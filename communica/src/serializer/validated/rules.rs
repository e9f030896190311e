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
        self.add("", &rule);
    }

    /// Tells what garde finds wrong with the value.
    pub fn by_garde<T: garde::Validate<Context = ()> + ?Sized>(&mut self, value: &T) {
        if let Err(report) = value.validate() {
            for (path, error) in report.iter() {
                self.add(&path.to_string(), error);
            }
        }
    }

    fn add(&mut self, path: &str, rule: &dyn Display) {
        self.count += 1;
        if self.sentence.len() >= SENTENCE {
            self.untold += 1;
            return;
        }
        if self.count > 1 {
            self.sentence.push_str("; ");
        }
        let dot = if self.path.is_empty() || path.is_empty() || path.starts_with('[') { "" } else { "." };
        let place = shortened(format!("{}{dot}{path}", self.path), PATH);
        let colon = if place.is_empty() { "" } else { ": " };
        let rule = shortened(rule.to_string(), RULE);
        let _ = write!(self.sentence, "{place}{colon}{rule}");
    }

    pub(in crate::serializer) fn into_sentence(mut self) -> String {
        if self.untold > 0 {
            let _ = write!(self.sentence, "; and {} more", self.untold);
        }
        self.sentence
    }
}

fn shortened(mut text: String, mut end: usize) -> String {
    if text.len() > end {
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
    }
    text
}
