//! Ids that somebody else chose, of any length → what is kept of them.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Bytes of an id that is kept as it is. Both libraries' are shorter.
const LONGEST: usize = 255;

/// The same for the same id. For two long ones it is the same by chance alone, or because who chose them wants to confuse his own
/// messages.
pub(super) fn short(id: &str) -> Cow<'_, str> {
    if id.len() <= LONGEST {
        return Cow::Borrowed(id);
    }
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    Cow::Owned(format!("an id of {} bytes: {:016x}", id.len(), hasher.finish()))
}
