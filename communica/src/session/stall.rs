//! Messages that wait for handlers to end, of which none does → the log, once until one does.

/// Looked at with each beat.
#[derive(Default)]
pub(super) struct Stall {
    /// Handlers that had ended at the last look at which messages waited.
    ended: Option<u64>,
    told: bool,
}

impl Stall {
    /// `waiting`: messages, none of which may start now; `ended`: handlers so far. True if it is to be told.
    pub(super) fn is_news(&mut self, waiting: usize, ended: u64) -> bool {
        let now = (waiting > 0).then_some(ended);
        let goes_on = now.is_none() || std::mem::replace(&mut self.ended, now) != now;
        if goes_on {
            *self = Self { ended: now, told: false };
        }
        !goes_on && !std::mem::replace(&mut self.told, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_once_until_it_goes_on() {
        let mut stall = Stall::default();
        let mut looks = |looks: &[(usize, u64)]| {
            looks.iter().map(|&(waiting, ended)| stall.is_news(waiting, ended)).collect::<Vec<_>>()
        };
        assert_eq!(looks(&[(0, 0), (0, 0), (0, 0)]), [false; 3], "nothing waits");
        assert_eq!(looks(&[(5, 1), (5, 2), (5, 3)]), [false; 3], "handlers end");
        assert_eq!(looks(&[(5, 3), (6, 3), (7, 3)]), [true, false, false]);
        assert_eq!(looks(&[(6, 4), (6, 4), (6, 4)]), [false, true, false]);
        assert_eq!(looks(&[(0, 4), (6, 4), (6, 4)]), [false, false, true]);
    }
}
