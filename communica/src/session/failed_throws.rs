//! Throws whose handlers failed → the log, which they must not fill.

/// So many are told one by one; after that every power of two.
const TOLD: u64 = 8;
/// Characters of a route and of a message that are told.
const MAX_TEXT: usize = 100;

#[derive(Default)]
pub(super) struct FailedThrows(u64);

impl FailedThrows {
    pub(super) fn tell(&mut self, route: Option<&str>, message: &str) {
        self.0 += 1;
        if self.0 > TOLD && !self.0.is_power_of_two() {
            return;
        }
        let route = route.map(start);
        let failed = self.0;
        tracing::warn!(route, error = start(message), failed, "the handler of a throw failed");
    }
}

fn start(text: &str) -> &str {
    text.char_indices().nth(MAX_TEXT).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(super::start("short"), "short");
        assert_eq!(super::start(&"ü".repeat(1000)), "ü".repeat(100));
    }
}
