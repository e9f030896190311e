//! Bytes as they are; and, on the same connection, records in JSON.

use communica::{BytesSerializer, RouteClient, RouteTable};

use crate::call::Call;
use crate::payload::Payloads;
use crate::record::Record;

#[communica::service]
trait Carrier {
    #[route(serializer = BytesSerializer)]
    async fn carry(&self, payload: bytes::Bytes) -> bytes::Bytes;
    async fn echo(&self, record: Record) -> Record;
}

struct Desk;

impl Carrier for Desk {
    async fn carry(&self, payload: bytes::Bytes) -> bytes::Bytes {
        payload
    }

    async fn echo(&self, record: Record) -> Record {
        record
    }
}

pub fn routes() -> RouteTable {
    Desk.into_routes()
}

pub fn carrying(client: RouteClient, size: usize) -> impl Call {
    Carrying { carrier: CarrierClient::new(client), payloads: Payloads::of(size) }
}

pub fn asking(client: RouteClient) -> impl Call {
    Asking { carrier: CarrierClient::new(client), record: Record::sample() }
}

#[derive(Clone)]
struct Carrying {
    carrier: CarrierClient,
    payloads: Payloads,
}

impl Call for Carrying {
    async fn call(&mut self, number: u64) {
        let answer = self.carrier.carry(self.payloads.get(number).clone()).await.expect("an answer");
        self.payloads.check(number, &answer);
    }
}

#[derive(Clone)]
struct Asking {
    carrier: CarrierClient,
    record: Record,
}

impl Call for Asking {
    async fn call(&mut self, number: u64) {
        self.record.renumber(number);
        let answer = self.carrier.echo(self.record.clone()).await;
        assert_eq!(answer.expect("an answer"), self.record);
    }
}
