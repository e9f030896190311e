//! One broker goes in, and everything that tests may do to it.

use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use communica_tests::broker::{self, Broker};
use communica_tests::in_time;
use lapin::options::{BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};

/// Together, because each start takes seconds. Every deed has its own limit.
#[tokio::test(flavor = "multi_thread")]
async fn a_broker_endures_what_tests_do_to_it() {
    let broker = Broker::builder().heartbeat(7).tls().start();
    in_time(suggests_a_heartbeat(&broker)).await;
    speaks_tls(&broker);
    takes_users_and_virtual_hosts(&broker).await;
    in_time(blocks_publishers_while_the_alarm_lasts(&broker)).await;
    in_time(is_silent_while_frozen(&broker)).await;
    in_time(keeps_messages_over_kills_and_stops(&broker)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tests_share_a_broker_and_no_address() {
    let url = tokio::task::spawn_blocking(|| broker::shared().url()).await.expect("it starts");
    assert_eq!(url, broker::shared().url(), "there is one broker");
    let (one, other) = (broker::unique("office"), broker::unique("office"));
    assert_ne!(one, other);
    in_time(async {
        let (_connection, channel) = connect(&url).await;
        publish(&channel, &one, b"for one").await;
        publish(&channel, &other, b"for the other").await;
        assert_eq!(take(&channel, &one).await, b"for one");
        assert_eq!(take(&channel, &other).await, b"for the other");
    })
    .await;
}

async fn suggests_a_heartbeat(broker: &Broker) {
    let (connection, _channel) = connect(&broker.url()).await;
    assert_eq!(connection.configuration().heartbeat(), 7);
}

/// To those who trust its authority, and know it as localhost.
fn speaks_tls(broker: &Broker) {
    let url = broker.tls_url();
    let place = url.split(['@', '/']).nth(3).expect("the URL has a host");
    let trusts = |authority: &[&str]| {
        let mut client = Command::new("openssl");
        client.args(["s_client", "-connect", place, "-verify_return_error", "-verify_hostname", "localhost"]);
        let output = client.args(authority).stdin(Stdio::null()).output().expect("openssl can be started");
        output.status.success()
    };
    let authority = broker.ca_file();
    assert!(trusts(&["-CAfile", authority.to_str().expect("a path in ASCII")]), "{}", broker.log_tail());
    assert!(!trusts(&["-no-CAfile"]), "nobody else vouches for it");
}

async fn takes_users_and_virtual_hosts(broker: &Broker) {
    broker.ctl(&["add_vhost", "north/east"]);
    broker.ctl(&["add_user", "ada", "p@ss:word"]);
    broker.ctl(&["set_permissions", "--vhost", "north/east", "ada", ".*", ".*", ".*"]);
    in_time(connect(&broker.url_with("ada", "p@ss:word", "north/east"))).await;
    let wrong = broker.url_with("ada", "wrong", "north/east");
    let refused = Connection::connect(&wrong, ConnectionProperties::default());
    in_time(refused).await.expect_err("the password is wrong");
}

async fn blocks_publishers_while_the_alarm_lasts(broker: &Broker) {
    let (_connection, channel) = connect(&broker.url()).await;
    broker.raise_memory_alarm();
    declare(&channel, "alarm").await;
    let publishing = tokio::spawn(async move { publish(&channel, "alarm", b"late").await });
    while !broker.ctl(&["list_connections", "state"]).contains("blocked") {
        // The time limit of this needs a moment in which something is awaited.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!publishing.is_finished(), "a blocked message is not confirmed");
    broker.clear_memory_alarm();
    publishing.await.expect("it is confirmed now");
}

async fn is_silent_while_frozen(broker: &Broker) {
    let (connection, _channel) = connect(&broker.url()).await;
    broker.freeze();
    let answer = connection.create_channel();
    tokio::pin!(answer);
    let silence = tokio::time::timeout(Duration::from_secs(1), &mut answer).await;
    assert!(silence.is_err(), "a frozen broker answered");
    broker.thaw();
    answer.await.expect("it answers again");
}

async fn keeps_messages_over_kills_and_stops(broker: &Broker) {
    let (connection, channel) = connect(&broker.url()).await;
    publish(&channel, "durable", b"first").await;
    broker.settle();
    broker.freeze();
    broker.kill();
    nobody_listens(broker);
    drop(connection);
    broker.restart();

    let (_connection, channel) = connect(&broker.url()).await;
    assert_eq!(take(&channel, "durable").await, b"first");
    publish(&channel, "durable", b"second").await;
    broker.stop();
    nobody_listens(broker);
    broker.restart();
    let queues = broker.ctl(&["list_queues", "name", "messages"]);
    assert!(queues.lines().any(|line| line == "durable\t1"), "{queues}");
}

fn nobody_listens(broker: &Broker) {
    let url = broker.url();
    let place = url.split(['@', '/']).nth(3).expect("the URL has a host");
    TcpStream::connect(place).expect_err("the broker is gone");
}

async fn connect(url: &str) -> (Connection, Channel) {
    let connection =
        Connection::connect(url, ConnectionProperties::default()).await.expect("the broker accepts");
    let channel = connection.create_channel().await.expect("a channel is opened");
    channel.confirm_select(ConfirmSelectOptions::default()).await.expect("it confirms");
    (connection, channel)
}

async fn declare(channel: &Channel, queue: &str) {
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(queue.into(), options, FieldTable::default()).await.expect("it can be declared");
}

/// Returns when the message is safe.
async fn publish(channel: &Channel, queue: &str, body: &[u8]) {
    declare(channel, queue).await;
    let properties = BasicProperties::default().with_delivery_mode(2);
    let options = BasicPublishOptions::default();
    let confirm = channel.basic_publish("".into(), queue.into(), options, body, properties).await;
    let confirmation = confirm.expect("it can be published").await.expect("it is answered");
    assert!(confirmation.is_ack(), "{confirmation:?}");
}

async fn take(channel: &Channel, queue: &str) -> Vec<u8> {
    let options = BasicGetOptions { no_ack: true };
    let message = channel.basic_get(queue.into(), options).await.expect("it can be asked for");
    message.expect("a message waits").delivery.data.to_vec()
}
