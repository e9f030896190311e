//! Every combination of who listens, road, entity and format; each gets the whole of `everything`.

use communica_tests::{Entity, Format, Language, Road, Stage, in_time};

use crate::everything;

macro_rules! formats {
    ($server:ident, $client:ident, $road:ident, $entity:ident) => {
        formats!(@ json Json, $server, $client, $road, $entity);
        formats!(@ orjson Orjson, $server, $client, $road, $entity);
        formats!(@ msgpack MsgPack, $server, $client, $road, $entity);
    };
    (@ $name:ident $format:ident, $server:ident, $client:ident, $road:ident, $entity:ident) => {
        #[tokio::test]
        async fn $name() {
            let stage = Stage::new(Road::$road, Entity::$entity, Format::$format);
            in_time(everything::check(&stage, Entity::$entity, Language::$server, Language::$client)).await;
        }
    };
}

macro_rules! matrix {
    ($($name:ident: $server:ident, $client:ident;)*) => {$(
        mod $name {
            use super::*;

            mod local_simple {
                use super::*;
                formats!($server, $client, Local, Simple);
            }
            mod local_route {
                use super::*;
                formats!($server, $client, Local, Route);
            }
            mod tcp_simple {
                use super::*;
                formats!($server, $client, Tcp, Simple);
            }
            mod tcp_route {
                use super::*;
                formats!($server, $client, Tcp, Route);
            }
        }
    )*};
}

matrix! {
    rust_server_python_client: Rust, Python;
    python_server_rust_client: Python, Rust;
    rust_alone: Rust, Rust;
    // The judge: what ours must do, Python does with itself.
    python_alone: Python, Python;
}
