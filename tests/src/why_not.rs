//! A client that cannot connect goes in, why comes out.

use std::time::Duration;

use communica::{Error, RouteClientBuilder};

/// Why it does not connect, as its first attempt that comes to an end says. On a busy machine that takes its time.
///
/// # Panics
/// It connects, or no attempt comes to an end.
pub async fn why_not(client: impl Fn() -> RouteClientBuilder) -> Error {
    for millis in [200, 1_000, 5_000, 30_000] {
        let builder = client().connect_timeout(Duration::from_millis(millis) * crate::patience());
        match builder.connect().await {
            Err(Error::Connect { reason, .. }) if reason.contains("no attempt came to an end") => {}
            Err(error) => return error,
            Ok(_) => panic!("it connects"),
        }
    }
    panic!("no attempt to connect comes to an end")
}
