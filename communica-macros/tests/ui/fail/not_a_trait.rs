struct Desk;

#[communica::service]
impl Desk {
    async fn add(&self, a: i64) -> i64 {
        a
    }
}

#[communica::service]
fn add(a: i64) -> i64 {
    a
}

fn main() {
    let _ = Desk.add(1);
    let _ = add(1);
}
