//! The same service with each serializer that takes a record.

use std::sync::atomic::{AtomicU64, Ordering};

use communica::{
    FastJsonSerializer, JsonSerializer, MsgPackSerializer, PostcardSerializer, RouteClient, RouteTable,
    ValidatedSerializer,
};

use super::Format;
use crate::call::Call;
use crate::record::Record;

communica::validated!(Record);

/// Counts what was thrown.
#[derive(Default)]
struct Desk {
    noted: AtomicU64,
}

macro_rules! service {
    ($format:ident, $name:ident, $client:ident, $serializer:expr) => {
        #[communica::service(serializer = $serializer)]
        trait $name {
            async fn echo(&self, record: Record) -> Record;
            async fn note(&self, record: Record);
            async fn noted(&self) -> u64;
        }

        impl $name for Desk {
            async fn echo(&self, record: Record) -> Record {
                record
            }

            async fn note(&self, _: Record) {
                self.noted.fetch_add(1, Ordering::Relaxed);
            }

            async fn noted(&self) -> u64 {
                self.noted.load(Ordering::Relaxed)
            }
        }

        pub struct $format;

        impl Format for $format {
            fn routes() -> RouteTable {
                $name::into_routes(Desk::default())
            }

            fn asking(client: RouteClient) -> impl Call {
                Asking { service: $client::new(client), record: Record::sample() }
            }

            fn throwing(client: RouteClient) -> impl Call {
                Throwing { service: $client::new(client), record: Record::sample() }
            }
        }

        impl Call for Asking<$client> {
            async fn call(&mut self, number: u64) {
                self.record.renumber(number);
                let answer = self.service.echo(self.record.clone()).await;
                assert_eq!(answer.expect("an answer"), self.record);
            }
        }

        impl Call for Throwing<$client> {
            async fn call(&mut self, number: u64) {
                self.record.renumber(number);
                self.service.throw_note(self.record.clone()).await.expect("it is accepted");
            }

            async fn settle(&mut self, calls: u64) {
                while self.service.noted().await.expect("an answer") < calls {}
            }
        }
    };
}

#[derive(Clone)]
struct Asking<S> {
    service: S,
    record: Record,
}

#[derive(Clone)]
struct Throwing<S> {
    service: S,
    record: Record,
}

service!(Json, InJson, InJsonClient, JsonSerializer);
service!(FastJson, InFastJson, InFastJsonClient, FastJsonSerializer);
service!(MsgPack, InMsgPack, InMsgPackClient, MsgPackSerializer);
service!(Postcard, InPostcard, InPostcardClient, PostcardSerializer);
service!(Validated, InValidated, InValidatedClient, ValidatedSerializer::new(JsonSerializer));
