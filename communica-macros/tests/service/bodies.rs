//! Methods in less common spellings: what a default body may give back, and how `&self` may be written.

use crate::with_client;

#[derive(Debug, communica::ServiceError)]
struct Empty;

impl std::fmt::Display for Empty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("nothing is there")
    }
}

/// What is no `Box<[u8]>` yet becomes one where it is given back, as in a plain trait.
#[communica::service]
trait Bodies {
    async fn boxed(&self) -> Box<[u8]> {
        Box::new([1, 2, 3])
    }
    async fn early(&self, mut size: usize) -> Box<[u8]> {
        size += 1;
        if size == 1 {
            return Box::new([7]);
        }
        match size {
            2 => Box::new([7, 7]),
            _ => Box::default(),
        }
    }
    async fn tried(&self, text: &str) -> Result<Box<[u8]>, Empty> {
        let first = text.bytes().next().ok_or(Empty)?;
        self.nothing().await;
        Ok(Box::new([first]))
    }
    async fn number(&self) -> Option<u64> {
        #![allow(clippy::needless_return)]
        return self.typed(1).await.checked_mul(2);
    }
    async fn nothing(&self) {}
    async fn typed(self: &Self, number: u64) -> u64;
    async fn lent<'a>(self: &'a Self, text: &'a str) -> usize {
        text.len()
    }
    fn quick(self: &Self) -> u8 {
        9
    }
}

struct Host;

impl Bodies for Host {
    async fn typed(&self, number: u64) -> u64 {
        number + 1
    }
}

#[tokio::test]
async fn default_bodies_give_what_fits_the_result() {
    with_client("bodies", Host.into_routes(), |client| async {
        let bodies = BodiesClient::new(client);
        assert_eq!(*bodies.boxed().await.unwrap(), [1, 2, 3]);
        assert_eq!(*bodies.early(0).await.unwrap(), [7]);
        assert_eq!(*bodies.early(1).await.unwrap(), [7, 7]);
        assert!(bodies.early(2).await.unwrap().is_empty());
        assert_eq!(*bodies.tried("a").await.unwrap(), [b'a']);
        bodies.tried("").await.expect_err("there is no first letter");
        assert_eq!(bodies.number().await.unwrap(), Some(4));
    })
    .await;
}

#[tokio::test]
async fn the_receiver_may_be_written_with_its_type() {
    with_client("receiver", std::sync::Arc::new(Host).into_routes(), |client| async {
        let bodies = BodiesClient::new(client);
        assert_eq!(bodies.typed(1).await.unwrap(), 2);
        assert_eq!(bodies.lent("abc").await.unwrap(), 3);
        assert_eq!(bodies.quick().await.unwrap(), 9);
        bodies.throw_typed(1).await.unwrap();
    })
    .await;
}
