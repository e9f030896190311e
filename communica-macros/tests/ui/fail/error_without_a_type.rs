//! An error is no value that the peer loads, so what is said of it is not what is said of results.

use std::error::Error;

#[communica::service]
pub trait Desk {
    async fn boxed(&self) -> Result<u8, Box<dyn Error + Send + Sync>>;
    async fn text(&self) -> Result<u8, &'static str>;
    fn lent(&self) -> Result<u8, &str>;
    fn some(&self) -> Result<u8, impl Error>;
    async fn both(&self) -> Result<&str, Box<dyn Error>>;
    async fn value(&self) -> Result<Box<dyn Error>, communica::AnyError>;
}

async fn ask(client: communica::RouteClient) {
    let _ = DeskClient::new(client).boxed().await;
}

fn main() {}
