//! Users' types with the names of everything that generated code means.

use crate::served;

/// Every name that generated code means, taken by something else.
#[no_implicit_prelude]
#[allow(dead_code)]
mod names {
    macro_rules! taken {
        ($($name:ident)*) => {$(
            #[derive(Debug, PartialEq, ::serde::Serialize, ::serde::Deserialize)]
            #[derive(::core::clone::Clone)]
            pub(crate) struct $name(pub(crate) u8);
        )*};
    }
    use ::core::cmp::PartialEq;
    use ::core::fmt::Debug;
    taken!(Result String Option Error Client Box Vec Arc Cow Send Sync Sized Future A B C D E H S T Peer Caller);
    taken!(Clone Default Into From Fault RouteTable Context JsonSerializer CallOptions IntoCaller Serialize Deserialize Args Data Text Bytes);
    pub(crate) mod core {}
    pub(crate) mod std {}
    pub(crate) mod serde {}
    pub(crate) mod communica {}
}

#[no_implicit_prelude]
#[allow(unused_imports)]
mod hostile {
    use super::names::*;

    #[::communica::service]
    pub(crate) trait S {
        async fn values(&self, a: Result, b: &Option, c: &[String]) -> Vec;
        async fn letters(&self, a: A, b: B, c: C, s: S_, t: T) -> C;
        async fn clone(&self) -> Box;
        async fn fmt(&self, caller: &Caller) -> Client;
        async fn request(&self, peer: Peer) -> ::core::option::Option<Future>;
        async fn fails(&self, at: u8) -> ::core::result::Result<Arc, Problem>;
        fn inline(&self, text: &str) -> u8 {
            text.len() as u8
        }
        #[route(name = "of", alias = "call", named, idempotent)]
        async fn call(&self, cx: &::communica::Context, context: &[Context], data: Data) -> Context;
        #[route(serializer = ::communica::MsgPackSerializer, blocking)]
        fn slow(&self, _: &::communica::Context, text: &str) -> u8;
        #[route(serializer = ::communica::ValidatedSerializer::new(::communica::JsonSerializer))]
        async fn checked(&self, broken: ::core::option::Option<&str>, r#self_: u8) -> u8;
        async fn default_body(&self, text: &str) -> ::core::result::Result<u8, Problem> {
            ::core::result::Result::Ok(self.inline(text))
        }
    }
    use super::names::S as S_;

    #[derive(::core::fmt::Debug, ::communica::ServiceError)]
    pub(crate) enum Problem {
        Unit,
        Tuple(Result, Error),
        Named { fault: Fault, message: String, data: Data, value0: Option },
    }

    impl ::core::fmt::Display for Problem {
        fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            f.write_str("a problem")
        }
    }

    pub(crate) struct Host;
    impl S for Host {
        async fn values(&self, a: Result, b: &Option, c: &[String]) -> Vec {
            Vec(a.0 + b.0 + c[0].0)
        }
        async fn letters(&self, a: A, b: B, c: C, s: S_, t: T) -> C {
            C(a.0 + b.0 + c.0 + s.0 + t.0)
        }
        async fn clone(&self) -> Box {
            Box(3)
        }
        async fn fmt(&self, caller: &Caller) -> Client {
            Client(caller.0)
        }
        async fn request(&self, peer: Peer) -> ::core::option::Option<Future> {
            ::core::option::Option::Some(Future(peer.0))
        }
        async fn call(&self, cx: &::communica::Context, context: &[Context], data: Data) -> Context {
            Context(context[0].0 + data.0 + ::core::primitive::str::len(cx.client_id()) as u8)
        }
        fn slow(&self, _: &::communica::Context, text: &str) -> u8 {
            text.len() as u8
        }
        async fn checked(&self, broken: ::core::option::Option<&str>, self_: u8) -> u8 {
            broken.map_or(0, str::len) as u8 + self_
        }
        async fn fails(&self, at: u8) -> ::core::result::Result<Arc, Problem> {
            ::core::result::Result::Err(match at {
                0 => Problem::Unit,
                1 => Problem::Tuple(Result(1), Error(2)),
                _ => Problem::Named { fault: Fault(1), message: String(2), data: Data(3), value0: Option(4) },
            })
        }
    }
}

#[test]
fn users_types_may_have_any_name() {
    use hostile::{Problem, S as _};
    served("hostile", hostile::Host.into_routes(), |client| async {
        let client = hostile::SClient::new(client);
        let sum = client.values(names::Result(1), &names::Option(2), &[names::String(3)]).await.unwrap();
        assert_eq!(sum, names::Vec(6));
        let letters = (names::A(1), names::B(2), names::C(3), names::S(4), names::T(5));
        let sum = client.letters(letters.0, letters.1, letters.2, letters.3, letters.4).await.unwrap();
        assert_eq!(sum, names::C(15));
        assert_eq!(client.clone().await.unwrap(), names::Box(3));
        assert_eq!(client.fmt(&names::Caller(7)).await.unwrap(), names::Client(7));
        assert_eq!(client.request(names::Peer(8)).await.unwrap(), Some(names::Future(8)));
        assert_eq!(client.inline("four").await.unwrap(), 4);
        assert_eq!(client.default_body("four").await.unwrap(), 4);
        let client_id_and = |number: u8| names::Context(number + 3);
        assert_eq!(client.call(&[names::Context(1)], names::Data(2)).await.unwrap(), client_id_and(3));
        assert_eq!(client.slow("four").await.unwrap(), 4);
        assert_eq!(client.checked(Some("four"), 2).await.unwrap(), 6);
        use communica::CallError::Service;
        assert!(matches!(client.fails(0).await, Err(Service(Problem::Unit))));
        let tuple = client.fails(1).await;
        assert!(matches!(tuple, Err(Service(Problem::Tuple(names::Result(1), names::Error(2))))));
        let Err(Service(Problem::Named { fault, message, data, value0 })) = client.fails(2).await else {
            panic!("not the named one")
        };
        assert_eq!((fault.0, message.0, data.0, value0.0), (1, 2, 3, 4));
    });
}

/// Formats with the name of the client's type parameter.
mod formats {
    use communica::{JsonSerializer, MsgPackSerializer};

    pub(crate) type C = MsgPackSerializer;
    pub(crate) mod other {
        pub(crate) type C = super::JsonSerializer;
    }

    #[communica::service(serializer = C::default())]
    pub(crate) trait Formats {
        async fn add(&self, a: u8, b: u8) -> u8;
        #[route(serializer = other::C::default())]
        async fn other(&self, text: &str) -> usize {
            text.len()
        }
    }

    impl Formats for () {
        async fn add(&self, a: u8, b: u8) -> u8 {
            a + b
        }
    }
}

#[test]
fn a_format_may_have_the_name_of_a_type_parameter() {
    use formats::Formats as _;
    served("formats", ().into_routes(), |client| async move {
        let formats = formats::FormatsClient::new(&client);
        assert_eq!(formats.add(1, 2).await.unwrap(), 3);
        assert_eq!(formats.other("ab").await.unwrap(), 2);
        formats.throw_add(1, 2).await.unwrap();
        let length: usize = client.request("other", "abc").await.unwrap();
        assert_eq!(length, 3);
    });
}
