//! Formats that take some types only: bytes as they are, and values with rules.

use std::sync::Mutex;

use communica::{
    Bytes, BytesSerializer, CallError, Error, JsonSerializer, MsgPackSerializer, SerializerSide,
    ValidatedSerializer,
};
use serde::{Deserialize, Serialize};

use crate::with_client;

#[communica::service(serializer = BytesSerializer)]
trait Store {
    async fn echo(&self, data: Bytes) -> Bytes;
    async fn lent(&self, data: &Bytes) -> Vec<u8>;
    async fn slice(&self, data: &[u8]) -> Vec<u8>;
    async fn owned(&self, data: Vec<u8>);
    async fn first(&self) -> Bytes;
    #[route(serializer = MsgPackSerializer)]
    async fn len(&self, data: Vec<u8>) -> usize;
}

#[derive(Default)]
struct Memory(Mutex<Vec<u8>>);

impl Store for Memory {
    async fn echo(&self, data: Bytes) -> Bytes {
        data
    }
    async fn lent(&self, data: &Bytes) -> Vec<u8> {
        data.to_vec()
    }
    async fn slice(&self, data: &[u8]) -> Vec<u8> {
        data.to_vec()
    }
    async fn owned(&self, data: Vec<u8>) {
        *self.0.lock().unwrap() = data;
    }
    async fn first(&self) -> Bytes {
        self.0.lock().unwrap().clone().into()
    }
    async fn len(&self, data: Vec<u8>) -> usize {
        data.len()
    }
}

#[tokio::test]
async fn bytes_are_the_payload() {
    with_client("bytes", Memory::default().into_routes(), |client| async move {
        let store = StoreClient::new(&client);
        let data = Bytes::from_static(b"\0\xff{");
        assert_eq!(store.echo(data.clone()).await.unwrap(), data);
        assert_eq!(store.lent(&data).await.unwrap(), data);
        assert_eq!(store.slice(&data).await.unwrap(), data);
        store.owned(data.to_vec()).await.unwrap();
        assert_eq!(store.first().await.unwrap(), data);
        assert_eq!(store.len(data.to_vec()).await.unwrap(), 3);
        store.throw_echo(data.clone()).await.unwrap();
        let untyped: Bytes = client.request_with("slice", &BytesSerializer, &data).await.unwrap();
        assert_eq!(untyped, data);
    })
    .await;
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, garde::Validate)]
struct Record {
    #[garde(length(min = 1))]
    name: String,
}
communica::validated!(Record);

#[communica::service(serializer = ValidatedSerializer::new(JsonSerializer))]
trait Register {
    async fn put(&self, record: &Record) -> Record;
    async fn rename(&self, record: Record, name: &str) -> Record;
    async fn count(&self) -> u8;
}

/// The same wire without the rules.
#[communica::service]
trait Unchecked {
    async fn rename(&self, record: Record, name: &str) -> Record;
}

struct Book;

impl Register for Book {
    async fn put(&self, record: &Record) -> Record {
        record.clone()
    }
    async fn rename(&self, _: Record, name: &str) -> Record {
        Record { name: name.into() }
    }
    async fn count(&self) -> u8 {
        7
    }
}

fn record(name: &str) -> Record {
    Record { name: name.into() }
}

#[tokio::test]
async fn rules_are_kept_on_both_sides() {
    with_client("rules", Book.into_routes(), |client| async move {
        let register = RegisterClient::new(&client);
        assert_eq!(register.put(&record("a")).await.unwrap(), record("a"));
        assert_eq!(register.rename(record("a"), "b").await.unwrap(), record("b"));
        assert_eq!(register.count().await.unwrap(), 7);
        let refused = |outcome: Result<Record, CallError>| match outcome {
            Err(CallError::Failed(Error::Serializer(error))) => (error.side(), error.message().to_owned()),
            other => panic!("{other:?}"),
        };
        let (side, message) = refused(register.put(&record("")).await);
        assert!(side == SerializerSide::Request && message.contains("name: "), "{message}");
        let (side, message) = refused(register.rename(record(""), "b").await);
        assert!(side == SerializerSide::Request && message.contains("record.name: "), "{message}");

        let unchecked = UncheckedClient::new(&client);
        let (side, message) = refused(unchecked.rename(record(""), "b").await);
        assert!(side == SerializerSide::Peer && message.contains("record.name: "), "{message}");
        match unchecked.rename(record("a"), "").await {
            Err(CallError::Failed(Error::Resp(error))) => {
                assert!(error.message().contains("name: "), "{error}")
            }
            other => panic!("{other:?}"),
        }
    })
    .await;
}

/// The desk as one side has it, and as the other does.
#[communica::service]
trait Desk {
    async fn size(&self, text: &str) -> usize;
    async fn name(&self) -> String;
}

mod elsewhere {
    #[communica::service(serializer = communica::MsgPackSerializer)]
    pub(crate) trait Desk {
        async fn size(&self, text: &str) -> usize;
        async fn name(&self) -> String;
    }
}

struct Clerk;

impl elsewhere::Desk for Clerk {
    async fn size(&self, text: &str) -> usize {
        text.len()
    }
    async fn name(&self) -> String {
        "clerk".to_owned()
    }
}

#[tokio::test]
async fn sides_of_different_formats_are_told_so() {
    with_client("two-formats", elsewhere::Desk::into_routes(Clerk), |client| async move {
        let desk = DeskClient::new(client);
        let CallError::Failed(Error::Serializer(error)) = desk.size("lamp").await.unwrap_err() else {
            panic!("this should be about the format")
        };
        assert_eq!(error.side(), SerializerSide::Peer);
        let message = error.to_string();
        let begin = "SerializerError: the peer could not load what was sent to `size`: the payload is JSON and not MessagePack: ";
        assert!(message.starts_with(begin), "{message}");
        // No argument is read in any format, so it is the result that tells.
        let CallError::Failed(Error::Serializer(error)) = desk.name().await.unwrap_err() else {
            panic!("this should be about the format")
        };
        assert_eq!(error.side(), SerializerSide::Result);
        let message = error.to_string();
        let begin = "SerializerError: the result of `name` could not be loaded: the payload is MessagePack and not JSON: ";
        assert!(message.starts_with(begin), "{message}");
        assert!(message.ends_with("; do both sides use the same serializer?"), "{message}");
    })
    .await;
}
