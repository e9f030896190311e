//! Random names: client ids, id prefixes, file names. And a little chance for backoff.

/// So many random bytes as lower case hex digits.
pub(crate) fn hex(bytes: usize) -> String {
    self::bytes(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// So many random bytes.
pub(crate) fn bytes(count: usize) -> Vec<u8> {
    let mut random = vec![0; count];
    fill(&mut random);
    random
}

/// A number from 0 up to, but not including, 1.
pub(crate) fn fraction() -> f64 {
    let mut random = [0; 4];
    fill(&mut random);
    f64::from(u32::from_le_bytes(random)) / (f64::from(u32::MAX) + 1.0)
}

/// An index below `len`, which is not 0.
pub(crate) fn index(len: usize) -> usize {
    // A fraction has 32 bits, more than there are peers.
    ((fraction() * len as f64) as usize).min(len - 1)
}

fn fill(random: &mut [u8]) {
    // Ids that can be guessed would be worse than a stop; on the systems this builds for it does not fail.
    getrandom::fill(random).expect("the system gives random bytes");
}
