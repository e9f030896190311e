//! A road and an address go in, sockets come out: what the contenders without connectors of their own stand on.

use std::path::PathBuf;

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio_util::either::Either;

/// How the two processes reach each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Road {
    Local,
    Tcp,
    /// By way of a broker: it has no sockets here.
    RabbitMq,
}

pub type Stream = Either<UnixStream, TcpStream>;

impl Road {
    pub const ALL: [Self; 3] = [Self::Local, Self::Tcp, Self::RabbitMq];

    pub fn named(name: &str) -> Self {
        let known = Self::ALL.into_iter().find(|road| road.name() == name);
        known.unwrap_or_else(|| panic!("{name:?} is no road: take local, tcp or rabbitmq"))
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Tcp => "tcp",
            Self::RabbitMq => "rabbitmq",
        }
    }

    /// Listens at a free place, and says where that is.
    pub async fn listen(self) -> (Listener, String) {
        match self {
            Self::Local => {
                let path = socket();
                let listener = UnixListener::bind(&path).expect("the folder of this run is writable");
                (Either::Left(listener), path.display().to_string())
            }
            Self::Tcp => {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
                let address = listener.local_addr().expect("it is bound").to_string();
                (Either::Right(listener), address)
            }
            Self::RabbitMq => no_sockets(),
        }
    }

    pub async fn connect(self, address: &str) -> Stream {
        match self {
            Self::Local => Either::Left(UnixStream::connect(address).await.expect("the server listens")),
            Self::Tcp => {
                let stream = TcpStream::connect(address).await.expect("the server listens");
                Either::Right(without_delay(stream))
            }
            Self::RabbitMq => no_sockets(),
        }
    }
}

pub type Listener = Either<UnixListener, TcpListener>;

pub async fn accept(listener: &Listener) -> Stream {
    match listener {
        Either::Left(listener) => Either::Left(listener.accept().await.expect("a client").0),
        Either::Right(listener) => Either::Right(without_delay(listener.accept().await.expect("a client").0)),
    }
}

fn no_sockets() -> ! {
    panic!("this contender does not go through a broker")
}

/// All contenders send at once what they have.
fn without_delay(stream: TcpStream) -> TcpStream {
    stream.set_nodelay(true).expect("TCP has this option");
    stream
}

/// In the folder that the run gave its processes as their temporary one.
fn socket() -> PathBuf {
    std::env::temp_dir().join("bare.sock")
}
