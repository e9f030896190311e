#[communica::service]
trait Desk {
    async fn size(&self) -> usize;
}

struct Host<'a>(&'a str);

impl Desk for Host<'_> {
    async fn size(&self) -> usize {
        self.0.len()
    }
}

fn uses(text: &str) -> communica::RouteTable {
    Host(text).into_routes()
}

fn main() {
    let _ = uses;
}
