#[communica::service(prefix = calc, serializer = "msgpack")]
trait NoValues {
    async fn add(&self, a: u8) -> u8;
}

#[communica::service(serializer = communica::ValidatedSerializer<communica::JsonSerializer>)]
trait Type {
    async fn add(&self, a: u8) -> u8;
}

#[communica::service(serializer)]
trait Empty {
    async fn add(&self, a: u8) -> u8;
}

fn main() {}
