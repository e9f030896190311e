//! The crate under another name, services made by macros, and services in odd places.

use crate::served;

/// The crate under another name, and everything written by a macro of the user.
pub(crate) mod renamed {
    pub(crate) use communica as library;

    macro_rules! define {
        ($service:ident, $error:ident, $method:ident($argument:ident: $ty:ty)) => {
            #[library::service(
                                                    prefix = "made.",
                                                    serializer = $crate::made::renamed::library::MsgPackSerializer,
                                                    crate = $crate::made::renamed::library
                                                )]
            pub(crate) trait $service {
                #[route(idempotent, named)]
                async fn $method(&self, cx: &library::Context, $argument: $ty, count: u8) -> Vec<u8>;
                async fn lend(&self, $argument: &$ty) -> Result<(), $error>;
                async fn boxed(&self, $argument: $ty) -> Box<[$ty]> {
                    Box::new([$argument])
                }
            }

            #[derive(Debug, library::ServiceError)]
            #[service_error(crate = $crate::made::renamed::library, code = 1)]
            pub(crate) struct $error {
                pub(crate) r#type: u8,
            }

            impl std::fmt::Display for $error {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    write!(f, "worse {}", self.r#type)
                }
            }

            impl $service for () {
                async fn $method(&self, _: &library::Context, $argument: $ty, count: u8) -> Vec<u8> {
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
        assert_eq!(*made.boxed(1).await.unwrap(), [1]);
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
