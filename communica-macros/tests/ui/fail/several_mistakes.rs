use std::fmt::Debug;

/// Each mistake is told once, and what uses the service is not blamed.
#[communica::service(name = 1)]
pub trait Desk {
    type Key;
    async fn add(&self, (a, b): (i64, i64)) -> i64;
    async fn get<T>(&self, key: &mut T) -> u8;
    async fn name(&self) -> &str;
    fn show(self, value: Box<dyn Debug>);
    async fn right(&self, a: u8) -> u8;
}

struct Host;

impl Desk for Host {
    type Key = u8;
    async fn add(&self, (a, b): (i64, i64)) -> i64 {
        a + b
    }
    async fn get<T>(&self, _key: &mut T) -> u8 {
        1
    }
    async fn name(&self) -> &str {
        "host"
    }
    fn show(self, _value: Box<dyn Debug>) {}
    async fn right(&self, a: u8) -> u8 {
        a
    }
}

async fn uses(client: communica::RouteClient) {
    let desk = DeskClient::new(client);
    let _: i64 = desk.add((1, 2)).await.unwrap();
    let _: u8 = desk.timeout(std::time::Duration::ZERO).right(1).await.unwrap();
    desk.throw_right(1).await.unwrap();
}

fn main() {
    let _ = (Host.into_routes(), uses);
}
