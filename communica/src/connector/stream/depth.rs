//! How much of what was sent the system holds between the two processes.

use crate::wire::Mix;

/// How much the system holds of what goes out on streams of a kind, and how to tell it.
pub(crate) struct Depths<W> {
    /// Has the system hold so many bytes. That it may not is no harm.
    pub(crate) set: fn(&W, usize),
    /// While large messages pass alone, or more small ones than the peer takes at once: the more there is room for, the less often the two
    /// sides wait for each other.
    pub(crate) deep: usize,
    /// While small ones pass as well, which wait for all that was sent before.
    pub(crate) shallow: usize,
    /// What the peer did not read is among it.
    pub(crate) is_all: bool,
}

/// The depth of one stream. Small messages alone leave it as the system made it, as long as they find room.
pub(super) struct Depth<W: 'static> {
    /// `None` where it can't be set, or the system knows better.
    depths: Option<&'static Depths<W>>,
    now: Option<usize>,
}

impl<W> Depth<W> {
    pub(super) fn new(depths: Option<&'static Depths<W>>) -> Self {
        Self { depths, now: None }
    }

    pub(super) fn suit(&mut self, mix: Mix, write: &W) {
        let Some(&Depths { set, deep, shallow, .. }) = self.depths else { return };
        let wanted = match mix {
            Mix::Both => shallow,
            Mix::Large => deep,
            Mix::Small if self.now == Some(shallow) => deep,
            Mix::Small => return,
        };
        self.set(wanted, set, write);
    }

    /// The system has no room for what goes out.
    pub(super) fn is_full(&mut self, mix: Mix, write: &W) {
        match self.depths {
            Some(&Depths { set, deep, .. }) if mix == Mix::Small => self.set(deep, set, write),
            _ => {}
        }
    }

    fn set(&mut self, wanted: usize, set: fn(&W, usize), write: &W) {
        if self.now.replace(wanted) != Some(wanted) {
            set(write, wanted);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    const DEEP: usize = 20;
    const SHALLOW: usize = 10;
    static DEPTHS: Depths<RefCell<Vec<usize>>> = Depths {
        set: |seen, bytes| seen.borrow_mut().push(bytes),
        deep: DEEP,
        shallow: SHALLOW,
        is_all: true,
    };

    #[test]
    fn the_depth_is_set_when_what_passes_changes() {
        let seen = RefCell::new(Vec::new());
        let mut depth = Depth::new(Some(&DEPTHS));
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

    #[test]
    fn more_small_messages_than_there_is_room_for_make_room() {
        let seen = RefCell::new(Vec::new());
        let mut depth = Depth::new(Some(&DEPTHS));
        depth.suit(Mix::Small, &seen);
        depth.is_full(Mix::Small, &seen);
        depth.is_full(Mix::Small, &seen);
        assert_eq!(seen.take(), [DEEP]);
        depth.suit(Mix::Both, &seen);
        depth.is_full(Mix::Both, &seen);
        assert_eq!(seen.take(), [SHALLOW], "small ones would wait for more");
    }
}
