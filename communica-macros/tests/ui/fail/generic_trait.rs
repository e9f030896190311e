#[communica::service]
trait Store<K> {
    async fn get(&self, key: K) -> u8;
}

#[communica::service]
trait Lender<'a>
where
    Self: 'a,
{
    async fn lend(&self) -> u8;
}

impl Store<u8> for () {
    async fn get(&self, key: u8) -> u8 {
        key
    }
}

fn main() {
    let _ = ().into_routes();
}
