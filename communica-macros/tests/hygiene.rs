//! Services in hostile surroundings: no prelude, a renamed crate, and names that generated code would like to have.

// Lints of generated code are the business of the macro, not of the crate that uses it.
#![deny(warnings)]
#![allow(non_camel_case_types)]

use std::time::Duration;

use communica::{MemoryConnector, RouteClient, RouteServer, RouteTable};

/// Runs a test with a client for `routes`, and fails it when it takes too long.
fn served<F: Future<Output = ()>>(name: &str, routes: RouteTable, test: impl FnOnce(RouteClient) -> F) {
    let run = async {
        let server = RouteServer::new(MemoryConnector::new(name), routes).start().await.unwrap();
        test(RouteClient::connect(MemoryConnector::new(name)).await.unwrap()).await;
        server.stop().await;
    };
    let run = async { tokio::time::timeout(Duration::from_secs(20), run).await };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(run).expect("the test should end within 20 seconds");
}

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

#[allow(clippy::too_many_arguments)]
mod variables {
    /// Arguments named as the variables of generated code, and as keywords.
    #[communica::service]
    pub(crate) trait Words {
        async fn all(
            &self,
            payload: u8,
            service: u8,
            args: u8,
            self_: u8,
            caller: u8,
            options: u8,
            cx: u8,
        ) -> u8;
        async fn more(
            &self,
            table: u8,
            fault: u8,
            text: &str,
            data: Option<&str>,
            message: &u8,
            value: &[u8],
        ) -> u8;
        async fn one(&self, service: &str) -> usize;
        async fn r#async(&self, r#type: u8, r#self_: u8) -> u8;
        async fn r#move(&self, r#match: &str) -> Result<u8, super::renamed::Worse>;
        async fn kept(&self, service: u8, _hidden: u8) -> u8 {
            service
        }
    }

    pub(crate) struct Host;
    impl Words for Host {
        async fn all(
            &self,
            payload: u8,
            service: u8,
            args: u8,
            self_: u8,
            caller: u8,
            options: u8,
            cx: u8,
        ) -> u8 {
            payload + service + args + self_ + caller + options + cx
        }
        async fn more(
            &self,
            table: u8,
            fault: u8,
            text: &str,
            data: Option<&str>,
            message: &u8,
            value: &[u8],
        ) -> u8 {
            table + fault + text.len() as u8 + data.map_or(0, str::len) as u8 + message + value[0]
        }
        async fn one(&self, service: &str) -> usize {
            service.len()
        }
        async fn r#async(&self, r#type: u8, self_: u8) -> u8 {
            r#type + self_
        }
        async fn r#move(&self, r#match: &str) -> Result<u8, super::renamed::Worse> {
            Err(super::renamed::Worse { r#type: r#match.len() as u8 })
        }
    }
}

#[test]
fn arguments_may_have_any_name() {
    use variables::Words as _;
    served("variables", variables::Host.into_routes(), |client| async {
        let words = variables::WordsClient::new(client);
        assert_eq!(words.all(1, 2, 3, 4, 5, 6, 7).await.unwrap(), 28);
        assert_eq!(words.more(1, 2, "abc", Some("abcd"), &5, &[6]).await.unwrap(), 21);
        assert_eq!(words.one("abc").await.unwrap(), 3);
        assert_eq!(words.r#async(1, 2).await.unwrap(), 3);
        assert_eq!(words.kept(4, 5).await.unwrap(), 4);
        words.throw_async(1, 2).await.unwrap();
        let error = words.r#move("abc").await.unwrap_err();
        assert!(matches!(error, communica::CallError::Service(renamed::Worse { r#type: 3 })));
    });
}

/// The crate under another name, and everything written by a macro of the user.
mod renamed {
    pub(crate) use communica as library;

    macro_rules! define {
        ($service:ident, $error:ident, $method:ident($argument:ident: $ty:ty)) => {
            #[library::service(crate = $crate::renamed::library)]
            pub(crate) trait $service {
                async fn $method(&self, $argument: $ty, count: u8) -> Vec<u8>;
                async fn lend(&self, $argument: &$ty) -> Result<(), $error>;
            }

            #[derive(Debug, library::ServiceError)]
            #[service_error(crate = $crate::renamed::library, code = 1)]
            pub(crate) struct $error {
                pub(crate) r#type: u8,
            }

            impl std::fmt::Display for $error {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    write!(f, "worse {}", self.r#type)
                }
            }

            impl $service for () {
                async fn $method(&self, $argument: $ty, count: u8) -> Vec<u8> {
                    vec![$argument; count.into()]
                }
                async fn lend(&self, $argument: &$ty) -> Result<(), $error> {
                    Err($error { r#type: *$argument })
                }
            }
        };
    }
    define!(Made, Worse, repeat(count_of: u8));
}

#[test]
fn a_macro_may_write_the_service() {
    use renamed::Made as _;
    served("renamed", ().into_routes(), |client| async {
        let made = renamed::MadeClient::new(client);
        assert_eq!(made.repeat(7, 2).await.unwrap(), [7, 7]);
        assert!(made.lend(&1).await.is_err());
    });
}

#[test]
fn a_service_may_be_local_to_a_function() {
    #[communica::service]
    trait Local {
        async fn r#yield(&self) -> u8;
    }
    impl Local for u8 {
        async fn r#yield(&self) -> u8 {
            *self
        }
    }
    served("local", 5.into_routes(), |client| async {
        assert_eq!(LocalClient::new(client).r#yield().await.unwrap(), 5);
    });
}

#[test]
fn a_trait_may_have_the_name_of_a_type_parameter() {
    #[communica::service]
    trait C {
        async fn number(&self) -> u8;
    }
    #[communica::service]
    trait T {
        async fn text(&self, text: &str) -> String;
    }
    impl C for u8 {
        async fn number(&self) -> u8 {
            *self
        }
    }
    impl T for u8 {
        async fn text(&self, text: &str) -> String {
            text.repeat((*self).into())
        }
    }
    served("letters", C::into_routes(2).merge(T::into_routes(2)), |client| async move {
        assert_eq!(CClient::new(&client).number().await.unwrap(), 2);
        assert_eq!(TClient::new(&client).text("ab").await.unwrap(), "abab");
    });
}
