//! What `cfg` takes away is taken away everywhere.
#![deny(warnings)]
#![allow(missing_docs, clippy::non_minimal_cfg)]

#[communica::service]
pub trait Desk {
    #[cfg(any())]
    async fn gone(&self, value: Missing) -> Missing;
    #[cfg_attr(all(), cfg(any()))]
    async fn gone_too(&self, value: &[Missing], name: &str) -> Missing;
    #[cfg(all())]
    async fn number(&self, value: u8) -> u8;
    #[cfg(any())]
    async fn number(&self, value: Missing) -> u8;
    #[cfg(any())]
    fn plain(&self) -> Missing {
        Missing
    }
    #[cfg(any())]
    async fn throw_number(&self, value: Missing);
    async fn throw_plain(&self);
}

#[communica::service]
#[cfg(any())]
pub trait Absent {
    async fn gone(&self, value: Missing) -> Missing;
}

impl Desk for u8 {
    async fn number(&self, value: u8) -> u8 {
        *self + value
    }
    async fn throw_plain(&self) {}
}

async fn uses(desk: DeskClient) -> u8 {
    desk.throw_number(1).await.unwrap();
    desk.throw_plain().await.unwrap();
    desk.number(1).await.unwrap()
}

fn main() {
    let _ = (1.into_routes(), uses);
}
