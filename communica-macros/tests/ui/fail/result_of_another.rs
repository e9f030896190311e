mod mine {
    #[derive(serde::Serialize, serde::Deserialize)]
    pub struct Result<T>(T);
}

#[communica::service]
pub trait Desk {
    async fn find(&self) -> mine::Result<u8>;
}

fn main() {}
