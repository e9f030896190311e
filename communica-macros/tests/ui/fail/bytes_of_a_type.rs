use communica::BytesSerializer;

#[communica::service(serializer = BytesSerializer)]
pub trait Store {
    async fn number(&self, a: u8) -> communica::Bytes;
}

fn main() {}
