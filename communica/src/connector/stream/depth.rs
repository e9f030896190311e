//! How much of what was sent the system holds between the two processes.

use crate::wire::Mix;

/// Bytes while large messages pass alone (Linux holds twice as many): the more there is room for, the less often the two sides wait for each other.
const DEEP: usize = 512 * 1024;
/// Bytes while small ones pass as well, which wait for all that was sent before. So few that the sender goes on when all was read.
const SHALLOW: usize = 48 * 1024;

/// Has the system hold so many bytes. That it may not is no harm.
pub(crate) type SetDepth<W> = fn(&W, usize);

/// The depth of one stream. Small messages alone leave it as the system made it.
pub(super) struct Depth<W> {
    /// `None` where it can't be set, or the system knows better.
    set: Option<SetDepth<W>>,
    now: Option<usize>,
}

impl<W> Depth<W> {
    pub(super) fn new(set: Option<SetDepth<W>>) -> Self {
        Self { set, now: None }
    }

    pub(super) fn suit(&mut self, mix: Mix, write: &W) {
        let Some(set) = self.set else { return };
        let wanted = match mix {
            Mix::Both => SHALLOW,
            Mix::Large => DEEP,
            Mix::Small if self.now == Some(SHALLOW) => DEEP,
            Mix::Small => return,
        };
        if self.now.replace(wanted) != Some(wanted) {
            set(write, wanted);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn the_depth_is_set_when_what_passes_changes() {
        let seen = RefCell::new(Vec::new());
        let mut depth = Depth::<RefCell<Vec<usize>>>::new(Some(|seen, bytes| seen.borrow_mut().push(bytes)));
        let mut suit = |mixes: &[Mix]| {
            mixes.iter().for_each(|&mix| depth.suit(mix, &seen));
            seen.take()
        };
        assert!(suit(&[Mix::Small, Mix::Small]).is_empty(), "a link of small messages costs no system call");
        assert_eq!(suit(&[Mix::Large, Mix::Large, Mix::Small, Mix::Large]), [DEEP]);
        assert_eq!(suit(&[Mix::Both, Mix::Both]), [SHALLOW]);
        assert_eq!(suit(&[Mix::Small, Mix::Small]), [DEEP], "nothing large is left to wait behind");
        assert_eq!(suit(&[Mix::Both, Mix::Large]), [SHALLOW, DEEP]);
    }
}
