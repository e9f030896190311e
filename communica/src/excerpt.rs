//! A text of any length → its beginning and its end, or its beginning.

use std::borrow::Cow;

/// Characters at each end, so that a sentence about what a peer sent says what is wrong however much it quotes.
const BEGINNING: usize = 700;
const END: usize = 300;

/// The same text if it is short, else a shorter one with what was left out in the middle.
pub(crate) fn excerpt(text: impl Into<String>) -> String {
    let text = text.into();
    // No character is shorter than a byte.
    if text.len() <= BEGINNING + END {
        return text;
    }
    let beginning = text.char_indices().nth(BEGINNING).map_or(text.len(), |(at, _)| at);
    let end = text.char_indices().nth_back(END - 1).map_or(0, |(at, _)| at);
    if end <= beginning {
        return text;
    }
    format!("{} […] {}", &text[..beginning], &text[end..])
}

/// The same text if it has no more characters than that, else so many of them, and `…`.
pub(crate) fn beginning(text: &str, characters: usize) -> Cow<'_, str> {
    match text.char_indices().nth(characters) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::{beginning, excerpt};

    #[test]
    fn what_is_cut_between_characters_says_so() {
        assert_eq!(beginning("short", 5), "short");
        assert_eq!(beginning(&"ü".repeat(1000), 100), format!("{}…", "ü".repeat(100)));
    }

    #[test]
    fn what_is_long_keeps_both_ends() {
        for letter in ["a", "ü", "🦀"] {
            for short in [0, 1, 999, 1000] {
                assert_eq!(excerpt(letter.repeat(short)), letter.repeat(short));
            }
            let long = format!("<{}>", letter.repeat(2000));
            assert_eq!(
                excerpt(&*long),
                format!("<{} […] {}>", letter.repeat(699), letter.repeat(299)),
                "{letter}"
            );
        }
    }
}
