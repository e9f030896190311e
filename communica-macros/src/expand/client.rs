//! The client: each method of the trait becomes a call and a throw over whatever can be called.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};

use super::gather::{format, gathered, gathering};
use super::parts::{declared, receiver_lifetime};
use super::{place_of, placed};
use crate::model::{Method, Service};
use crate::names;
use crate::shape::Output;

pub(super) fn client(service: &Service) -> TokenStream {
    let methods = service.methods.iter().map(|method| {
        let bodies = bodies(service, method);
        stub(service, method, &bodies)
    });
    let (definition, implementation) = (definition(service), implementation(service, quote!(#(#methods)*)));
    let gathering = gathering(service);
    quote!(#definition #implementation #gathering)
}

/// The struct, with what every client has.
pub(super) fn definition(service: &Service) -> TokenStream {
    let (krate, vis, trait_name) = (&service.krate, &service.item.vis, &service.item.ident);
    let client = names::client(trait_name);
    let (cfg, lint, deprecated) = (&service.attrs.cfg, &service.attrs.lint, &service.attrs.deprecated);
    let doc = format!(
        "Calls [`{trait_name}`] in another process. Over a client or a peer its type is `{client}`, over a server's handle or any \
             peer `{client}<AnyPeer>`, over all peers `{client}<AllPeers>`."
    );
    quote! {
        #(#cfg)*
        #(#lint)*
        #(#deprecated)*
        #[doc = #doc]
        #[derive(::core::clone::Clone, ::core::fmt::Debug)]
        #[allow(dead_code, deprecated)]
        #vis struct #client<C = #krate::Peer> {
            caller: C,
            options: #krate::CallOptions,
        }
    }
}

/// The block of `impl` around the stubs.
pub(super) fn implementation(service: &Service, stubs: TokenStream) -> TokenStream {
    let (krate, vis) = (&service.krate, &service.item.vis);
    let (client, caller) = (names::client(&service.item.ident), names::caller(service));
    let (cfg, lint) = (&service.attrs.cfg, &service.attrs.lint);
    quote! {
        #(#cfg)*
        #(#lint)*
        #[allow(dead_code, deprecated, trivial_bounds, unused_braces, unused_lifetimes, clippy::all, clippy::pedantic)]
        impl<#caller: #krate::Caller> #client<#caller> {
            /// A stub that calls over `target`.
            #[must_use]
            #vis fn new(target: impl #krate::IntoCaller<Caller = #caller>) -> Self {
                Self {
                    caller: #krate::IntoCaller::into_caller(target),
                    options: ::core::default::Default::default(),
                }
            }

            /// The same stub, whose calls end with an error when no answer came within `limit`. A throw does not expire once it
            /// was accepted.
            #[must_use]
            #vis fn timeout(&self, limit: ::core::time::Duration) -> Self {
                Self {
                    caller: ::core::clone::Clone::clone(&self.caller),
                    options: #krate::CallOptions::timeout(::core::clone::Clone::clone(&self.options), limit),
                }
            }

            /// The same stub, whose calls carry `value` under `key`, beside their arguments.
            #[must_use]
            #vis fn metadata(
                &self,
                key: impl ::core::convert::Into<::std::string::String>,
                value: impl #krate::__private::serde::Serialize,
            ) -> Self {
                let options = ::core::clone::Clone::clone(&self.options);
                Self {
                    caller: ::core::clone::Clone::clone(&self.caller),
                    options: #krate::CallOptions::metadata(options, key, value),
                }
            }

            #stubs
        }
    }
}

/// What a call and a throw do, and what the call gives.
pub(super) struct Bodies {
    pub(super) call: TokenStream,
    pub(super) throw: TokenStream,
    pub(super) outcome: Outcome,
    /// What has to be true for the call.
    pub(super) bound: Option<TokenStream>,
}

/// The tokens of the call stand at the types of the result, so that what these lack is told there.
fn bodies(service: &Service, method: &Method) -> Bodies {
    let (krate, route) = (&service.krate, &method.route);
    let outcome = Outcome::of(service, method);
    let (ok, error) = (&outcome.ok, &outcome.error);
    let (args, options) = (gathered(service, method), options(service, method));
    let place = place_of(if matches!(method.output, Output::Result(..)) { error } else { ok });
    let there = placed(krate, place);
    let (call_format, throw_format) =
        (format(service, method, place_of(ok)), format(service, method, Span::call_site()));
    Bodies {
        call: quote_spanned! {place=>
            #there::Caller::request::<_, _, #ok, #error>(&self.caller, #options, #route, #call_format, #args).await
        },
        throw: quote! {
            #krate::Caller::throw(&self.caller, #options, #route, #throw_format, #args).await
        },
        bound: bound(service, method, &outcome),
        outcome,
    }
}

/// That the error is one for services is asked first of all: the rest of the stub may rely on it, and is not told
/// again what the type lacks.
fn bound(service: &Service, method: &Method, outcome: &Outcome) -> Option<TokenStream> {
    let error = &outcome.error;
    let place = place_of(error);
    let krate = placed(&service.krate, place);
    match &method.output {
        Output::Value(_) => None,
        Output::Result(..) | Output::Alias(_) => {
            Some(quote_spanned!(place=> where #error: #krate::ServiceError))
        }
    }
}

fn options(service: &Service, method: &Method) -> TokenStream {
    let krate = &service.krate;
    if method.settings.idempotent {
        quote!(&#krate::CallOptions::__idempotent(::core::clone::Clone::clone(&self.options)))
    } else {
        quote!(&self.options)
    }
}

/// One method as a call and as a throw, both with the user's own signature.
pub(super) fn stub(service: &Service, method: &Method, bodies: &Bodies) -> TokenStream {
    let (krate, vis, caller) = (&service.krate, &service.item.vis, names::caller(service));
    let (ident, throw) = (method.ident(), names::throw(method.ident()));
    let (cfg, lint, deprecated) = (&method.attrs.cfg, &method.attrs.lint, &method.attrs.deprecated);
    let (generics, lifetime) = (&method.item.sig.generics, receiver_lifetime(method));
    let where_clause = &generics.where_clause;
    let declared: Vec<_> = method.args.iter().map(declared).collect();
    let doc = documentation(method);
    let throw_doc = format!("Sends the call [`{ident}`](Self::{ident}) and waits for no answer.");
    let Bodies { call, throw: thrown, outcome: Outcome { ok, error }, bound } = bodies;
    let (place, there) = (place_of(error), placed(&caller, place_of(error)));
    let outcome = quote_spanned!(place=> #there::Outcome<#ok, #error>);
    quote! {
        #(#cfg)*
        #doc
        #(#deprecated)*
        #(#lint)*
        #vis async fn #ident #generics (&#lifetime self, #(#declared),*) -> #outcome #bound #where_clause {
            #call
        }

        #(#cfg)*
        #[doc = #throw_doc]
        #(#deprecated)*
        #(#lint)*
        #vis async fn #throw #generics (
            &#lifetime self,
            #(#declared),*
        ) -> #caller::Outcome<(), #krate::__private::NoServiceError> #where_clause {
            #thrown
        }
    }
}

fn documentation(method: &Method) -> TokenStream {
    let doc = &method.attrs.doc;
    if doc.is_empty() {
        let doc = format!("Calls `{}`.", method.route);
        return quote!(#[doc = #doc]);
    }
    quote!(#(#doc)*)
}

/// `T` and `E` of a call's outcome.
pub(super) struct Outcome {
    ok: TokenStream,
    error: TokenStream,
}

impl Outcome {
    pub(super) fn of(service: &Service, method: &Method) -> Self {
        match &method.output {
            Output::Value(ty) => Self { ok: quote!(#ty), ..Self::nothing(service) },
            Output::Result(ok, error) => Self { ok: quote!(#ok), error: quote!(#error) },
            Output::Alias(ty) => {
                let (place, there) = (place_of(ty), placed(&service.krate, place_of(ty)));
                let parts = quote_spanned!(place=> <#ty as #there::__private::ResultParts>);
                Self { ok: quote!(#parts::Ok), error: quote!(#parts::Err) }
            }
        }
    }

    pub(super) fn nothing(service: &Service) -> Self {
        let krate = &service.krate;
        Self { ok: quote!(()), error: quote!(#krate::__private::NoServiceError) }
    }
}
