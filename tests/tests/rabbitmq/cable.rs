//! A way to a broker that can be cut for a while: connections through it end, and new ones are not accepted.

use communica_tests::broker::Broker;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

pub(crate) struct Cable {
    url: String,
    is_cut: watch::Sender<bool>,
    task: AbortHandle,
}

impl Cable {
    pub(crate) async fn to(broker: &Broker) -> Self {
        let url = broker.url();
        let place = url.split(['@', '/']).nth(3).expect("the URL has a host").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let here = listener.local_addr().expect("it is bound").to_string();
        let is_cut = watch::Sender::new(false);
        let task = tokio::spawn(carry(listener, place.clone(), is_cut.clone())).abort_handle();
        Self { url: url.replace(&place, &here), is_cut, task }
    }

    /// The broker's, through this cable.
    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    pub(crate) fn cut(&self) {
        self.is_cut.send_replace(true);
    }

    pub(crate) fn mend(&self) {
        self.is_cut.send_replace(false);
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.task.abort();
        self.cut();
    }
}

async fn carry(listener: TcpListener, place: String, is_cut: watch::Sender<bool>) {
    loop {
        let (mut near, _) = listener.accept().await.expect("it can be accepted");
        let (mut cut, place) = (is_cut.subscribe(), place.clone());
        tokio::spawn(async move {
            if *cut.borrow() {
                return;
            }
            let Ok(mut far) = TcpStream::connect(place).await else { return };
            tokio::select! {
                _ = copy_bidirectional(&mut near, &mut far) => {}
                _ = cut.wait_for(|cut| *cut) => {}
            }
        });
    }
}
