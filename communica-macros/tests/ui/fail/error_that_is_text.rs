struct Clerk;

#[communica::service]
pub trait Desk {
    async fn point(&self) -> Result<u8, String>;
    fn clear(&self) -> Result<(), ()>;
}

impl Desk for Clerk {
    async fn point(&self) -> Result<u8, String> {
        Err("no".to_owned())
    }

    fn clear(&self) -> Result<(), ()> {
        Err(())
    }
}

async fn ask(client: communica::RouteClient) {
    let _ = DeskClient::new(client).clear().await;
}

fn main() {}
