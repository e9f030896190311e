//! What the macros make of tokens, read as text.

use proc_macro2::TokenStream;
use quote::quote;

use crate::service::service;
use crate::service_error;

/// Formats what a macro wrote, which proves that it is Rust.
fn pretty(tokens: TokenStream) -> String {
    let file = syn::parse2(tokens.clone()).unwrap_or_else(|error| panic!("{error} in {tokens}"));
    prettyplease::unparse(&file)
}

/// The text as far as its layout does not matter, so that a part of it can be looked for.
fn dense(text: &str) -> String {
    let text: String = text.split_whitespace().collect();
    text.replace(",)", ")").replace(",>", ">")
}

#[track_caller]
fn has(text: &str, part: &str) {
    assert!(dense(text).contains(&dense(part)), "no `{part}` in:\n{text}");
}

#[track_caller]
fn has_not(text: &str, part: &str) {
    assert!(!dense(text).contains(&dense(part)), "`{part}` in:\n{text}");
}

fn calculator() -> TokenStream {
    quote! {
        /// Calculates.
        pub trait Calculator {
            /// Adds.
            async fn add(&self, a: i64, b: &[Number]) -> i64;
            async fn log(&self, line: &str) {
                self.write(line).await
            }
            fn quick(&self) -> std::io::Result<u8>;
        }
    }
}

#[test]
fn the_trait_stays_as_written_with_send_on_its_futures() {
    let text = pretty(service(quote!(), calculator()));
    has(&text, "/// Calculates. pub trait Calculator { /// Adds. fn add( &self, a: i64, b: &[Number], )");
    has(&text, "-> impl ::core::future::Future<Output = i64> + ::core::marker::Send;");
    has(
        &text,
        "Send where Self: ::core::marker::Sync, { async move { if let ::core::option::Option::Some(result)",
    );
    has(
        &text,
        "::core::option::Option::None::<()> { return result; } let line = line; self.write(line).await } }",
    );
    has(&text, "fn quick(&self) -> std::io::Result<u8>;");
}

#[test]
fn routes_own_what_the_caller_lends() {
    let text = pretty(service(quote!(), calculator()));
    has(&text, "#[track_caller]");
    has(&text, "fn into_routes(self) -> ::communica::RouteTable");
    has(&text, "__communica_load::<i64, ::std::vec::Vec<Number>>(&payload)");
    has(&text, "<Self as Calculator>::add(&service, args.a, &*args.b).await");
    has(
        &text,
        "load::<_, ::communica::__private::Text<'_>>(&::communica::__private::DefaultSerializer, &payload, \"line\")",
    );
    has(&text, "Registration { names: &[\"quick\"], idempotent: false, }, move |context, _|");
}

#[test]
fn the_client_has_a_call_and_a_throw_for_each_method() {
    let text = pretty(service(quote!(), calculator()));
    has(&text, "pub struct CalculatorClient<C = ::communica::Peer>");
    has(&text, "/// Adds. pub async fn add( &self, a: i64, b: &[Number], ) -> C::Outcome<i64,");
    has(&text, "pub async fn throw_add( &self, a: i64, b: &[Number], ) -> C::Outcome<(),");
    has(&text, "-> C::Outcome< <std::io::Result<u8> as ::communica::__private::ResultParts>::Ok,");
    has(&text, "CalculatorClient::<()>::__communica_add(&a, b)");
}

#[test]
fn shared_values_serve_too() {
    let text = pretty(service(
        quote!(),
        quote!(
            trait Desk: Debug + Named {
                async fn add(&self, a: u8);
            }
        ),
    ));
    has(&text, "impl<__CommunicaT> Desk for ::std::sync::Arc<__CommunicaT>");
    has(&text, "Self: Debug + Named,");
    has(&text, "<__CommunicaT as Desk>::add(&**self, a)");
}

#[test]
fn another_name_of_the_crate_is_used_everywhere() {
    let text = pretty(service(quote!(crate = crate::rpc), calculator()));
    has(&text, "crate::rpc::__private::load_several");
    has_not(&text, "::communica::");
    let error = quote! {
        #[service_error(crate = rpc)]
        enum Problem { #[service_error(code = 1)] Plain, Full(u8), Named { at: u8 } }
    };
    has_not(&pretty(service_error::derive(error)), "communica::");
}

#[test]
fn the_caller_gives_way_to_a_users_c() {
    let text = pretty(service(
        quote!(),
        quote!(
            trait Desk {
                async fn get(&self, key: Vec<C>);
            }
        ),
    ));
    has(&text, "impl<__CommunicaC: ::communica::Caller> DeskClient<__CommunicaC>");
    let text = pretty(service(
        quote!(),
        quote!(
            trait Desk {
                async fn get(&self, key: key!());
            }
        ),
    ));
    has(&text, "impl<__CommunicaC: ::communica::Caller> DeskClient<__CommunicaC>");
}

#[test]
fn cfg_goes_with_everything_made_of_a_method() {
    let text = pretty(service(
        quote!(),
        quote!(
            trait Desk {
                #[cfg(unix)]
                async fn get(&self, key: u8);
            }
        ),
    ));
    // The trait, the route, the shared value, the call, the throw, the gathering.
    assert_eq!(text.matches("#[cfg(unix)]").count(), 6, "{text}");
    let text = pretty(service(
        quote!(),
        quote!(
            #[cfg(unix)]
            trait Desk {
                async fn get(&self, key: u8);
            }
        ),
    ));
    // The trait, the shared value, the client and its two blocks, the question for the default format.
    assert_eq!(text.matches("#[cfg(unix)]").count(), 6, "{text}");
}

#[test]
fn attributes_go_where_they_mean_something() {
    let text = pretty(service(
        quote!(),
        quote! {
            trait Desk {
                #[cfg_attr(test, deprecated, doc = "Old.", must_use)]
                #[expect(unused)]
                #[deny(missing_docs)]
                #[inline]
                async fn get(&self);
            }
        },
    ));
    let in_client = text.split_once("struct DeskClient").unwrap().1;
    assert_eq!(in_client.matches("#[cfg_attr(test, deprecated)]").count(), 2, "{text}");
    assert_eq!(in_client.matches("#[cfg_attr(test, doc = \"Old.\")]").count(), 1, "{text}");
    // The call, the throw, the gathering; beside them the route and the shared value.
    assert_eq!(in_client.matches("#[allow(unused)]").count(), 3, "{text}");
    assert_eq!(text.matches("#[allow(unused)]").count(), 5, "{text}");
    // Nobody is told of the gathering.
    assert_eq!(in_client.matches("#[deny(missing_docs)]").count(), 2, "{text}");
    has_not(in_client, "inline");
    has_not(in_client, "#[expect");
}

#[test]
fn errors_travel_with_code_side_name_and_fields() {
    let text = pretty(service_error::derive(quote! {
        enum Problem {
            #[service_error(code = -400)]
            Plain,
            #[service_error(responder)]
            Named { r#type: u32 },
            One(u8),
        }
    }));
    has(&text, "fault( false, ::core::option::Option::Some(-400i64), message, \"Plain\", &(), )");
    has(&text, "fault( true, ::core::option::Option::None, message, \"Named\", &data, )");
    has(&text, "struct __CommunicaData<__Communica0> { r#type: __Communica0, }");
    has(&text, "__communica_fault::<u8>(message, (value0,))");
    has(&text, "if ::communica::Fault::__is(&fault, false, -400i64)");
    has(&text, "impl ::core::convert::From<Problem> for ::communica::Fault");
}

#[test]
fn an_unknown_error_crosses_as_its_words_and_does_not_come_back() {
    let text = pretty(service_error::derive(quote! {
        enum Problem<T, E> {
            Known(Vec<T>),
            #[service_error(unknown)]
            Other(E),
        }
    }));
    has(&text, "error @ Self::Other { .. } => ::communica::__private::unknown(&error),");
    has(&text, "Problem<T, E>: ::std::error::Error,");
    has(&text, "T: ::communica::__private::serde::Serialize");
    has_not(&text, "E: ::communica::__private::serde::Serialize");
    has_not(&text, "Some(\"Other\")");
}

#[test]
fn a_struct_is_a_variant_of_its_own_name() {
    let text = pretty(service_error::derive(quote!(
        #[service_error(code = 404)]
        struct NotFound;
    )));
    has(&text, "Self {} => { ::communica::__private::fault(false, ::core::option::Option::Some(404i64)");
    has(&text, "::core::option::Option::Some(\"NotFound\") => { ::core::result::Result::Ok(Self {}) }");
}

#[test]
fn every_mistake_is_told() {
    let text = pretty(service(
        quote!(name = "desk", crate = 5),
        quote! {
            unsafe trait Desk<T> {
                type Key;
                async fn one(self, (a, b): (u8, u8), c: &mut u8) -> &str;
                const fn two<T>(&self, c: impl Copy, c: dyn Copy) -> impl Future<Output = u8>;
                fn new(a: Self, #[cfg(x)] b: Vec<&str>, c: &'static u8) where u8: Copy;
                fn throw_one(&mut self);
            }
        },
    ));
    assert_eq!(text.matches("compile_error!").count(), 24, "{text}");
    has(&text, "unsafe trait Desk<T>");
    has(&text, "struct DeskClient<C = ::communica::Peer>");
}

#[test]
fn every_mistake_in_an_error_is_told() {
    let text = pretty(service_error::derive(quote! {
        #[service_error(responder)]
        enum Problem<'a> {
            #[service_error(code = "1", kind = 2)]
            One(&'a str),
            #[service_error = 3]
            Two(Box<dyn Error>),
            #[service_error(unknown, code = 5)]
            Three(&'static str, Box<dyn Error>),
        }
    }));
    assert_eq!(text.matches("compile_error!").count(), 8, "{text}");
    has(&text, "impl<'a> ::communica::ServiceError for Problem<'a>");
}

#[test]
fn what_is_no_trait_stays() {
    let text = pretty(service(
        quote!(),
        quote!(
            struct Desk;
        ),
    ));
    assert_eq!(text.matches("compile_error!").count(), 1, "{text}");
    has(&text, "struct Desk;");
}
