#[communica::service(name = "desk", crate)]
trait Unknown {
    async fn add(&self, a: u8) -> u8;
}

#[communica::service(crate = ::communica, crate = ::communica)]
trait Twice {
    async fn add(&self, a: u8) -> u8;
}

#[communica::service(crate = ::communica crate)]
trait NoComma {
    async fn add(&self, a: u8) -> u8;
}

#[communica::service("crate")]
trait Text {
    async fn add(&self, a: u8) -> u8;
}

async fn uses(unknown: UnknownClient) -> u8 {
    unknown.add(1).await.unwrap()
}

fn main() {
    let _ = uses;
}
