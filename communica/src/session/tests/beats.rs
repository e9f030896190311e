//! What a peer says of the silence it bears → how often it is told that this side lives.

use super::resume::fresh;
use super::*;
use crate::wire::hello::About;

/// The time between two beats to a peer that bears so many milliseconds of silence.
fn beat_time(ours: &Limits, silence: u64) -> Option<Duration> {
    let mut client = fresh("c", ours);
    let about = About { silence_ms: Some(silence), ..fresh("s", &limits()).about(None) };
    client.link_up(Delivery::Direct, Some(about));
    client.beat_time()
}

#[test]
fn the_less_patient_of_two_sides_says_how_often() {
    let ours = limits().silence_time(Duration::from_secs(8));
    for (theirs, beat) in [(4_000, 1_000), (8_000, 2_000), (u64::MAX, 2_000)] {
        assert_eq!(beat_time(&ours, theirs), Some(Duration::from_millis(beat)), "{theirs} ms");
    }
}

#[test]
fn a_peer_that_wants_to_hear_all_the_time_is_not_humoured() {
    for silence in [0, 1, 29, 30] {
        assert_eq!(beat_time(&limits(), silence), Some(Duration::from_micros(7_500)), "{silence} ms");
    }
}
