//! Small messages that overtook a large one: others are likely to follow, and should not wait long behind its pieces.

/// For so many bytes after the last of them. A record each millisecond meets a new one within a MiB.
const BYTES: usize = 16 * 1024 * 1024;

/// In one direction of a link.
pub(crate) struct Company {
    /// Bytes that passed since a small message overtook a large one.
    since: usize,
}

impl Company {
    pub(crate) fn new() -> Self {
        Self { since: BYTES }
    }

    pub(crate) fn came(&mut self) {
        self.since = 0;
    }

    pub(crate) fn passed(&mut self, bytes: usize) {
        self.since = self.since.saturating_add(bytes);
    }

    pub(crate) fn is_likely(&self) -> bool {
        self.since < BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_likely_for_a_while_after_it_came() {
        let mut company = Company::new();
        assert!(!company.is_likely());
        company.came();
        company.passed(BYTES - 1);
        assert!(company.is_likely());
        company.passed(1);
        assert!(!company.is_likely());
        company.passed(usize::MAX);
        assert!(!company.is_likely());
        company.came();
        assert!(company.is_likely());
    }
}
