//! Every combination of who listens, entity and format, over a broker; each gets the whole of `everything`.

use communica_tests::{Entity, Format, Language, Stage, broker, in_time};

use super::everything;

macro_rules! matrix {
    ($($module:ident: $server:ident, $client:ident, [$($name:ident: $entity:ident, $format:ident;)*])*) => {$(
        mod $module {
            use super::*;

            $(
                #[tokio::test]
                async fn $name() {
                    let stage = Stage::over(broker::shared(), Entity::$entity, Format::$format);
                    let check =
                        everything::check(&stage, Entity::$entity, Language::$server, Language::$client);
                    in_time(check).await;
                }
            )*
        }
    )*};
}

matrix! {
    rust_server_python_client: Rust, Python, [
        simple_json: Simple, Json;
        simple_orjson: Simple, Orjson;
        simple_msgpack: Simple, MsgPack;
        route_json: Route, Json;
        route_orjson: Route, Orjson;
        route_msgpack: Route, MsgPack;
    ]
    python_server_rust_client: Python, Rust, [
        simple_json: Simple, Json;
        simple_orjson: Simple, Orjson;
        simple_msgpack: Simple, MsgPack;
        route_json: Route, Json;
        route_orjson: Route, Orjson;
        route_msgpack: Route, MsgPack;
    ]
    rust_alone: Rust, Rust, [
        simple_msgpack: Simple, MsgPack;
        route_orjson: Route, Orjson;
    ]
    // The judge: what ours must do, Python does with itself.
    python_alone: Python, Python, [
        simple_msgpack: Simple, MsgPack;
        route_orjson: Route, Orjson;
    ]
}
