//! Nothing goes in, the URL of a private RabbitMQ broker comes out. It runs until SIGINT or SIGTERM.

#[cfg(unix)]
#[tokio::main(flavor = "current_thread")]
async fn main() {
    use communica_tests::broker::Broker;
    use tokio::signal::unix::{SignalKind, signal};

    let broker = Broker::start();
    let mut told =
        [SignalKind::interrupt(), SignalKind::terminate()].map(|kind| signal(kind).expect("it can be told"));
    println!("{}", broker.url());

    let [interrupt, terminate] = &mut told;
    tokio::select! {
        _ = interrupt.recv() => (),
        _ = terminate.recv() => (),
    }
    broker.stop();
}

#[cfg(not(unix))]
fn main() {
    panic!("private brokers need a Unix");
}
