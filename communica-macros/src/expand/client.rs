//! The client: each method of the trait becomes a call and a throw over whatever can be called.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::Ident;

use super::shared::{declared, receiver_lifetime};
use super::{place_of, placed};
use crate::model::{Arg, Method, Service};
use crate::names;
use crate::shape::{Lent, Output};

pub(super) fn client(service: &Service) -> TokenStream {
    let methods = service.methods.iter().map(|method| {
        let bodies = bodies(service, method);
        stub(service, method, &bodies)
    });
    let gather = service.methods.iter().filter(|method| !method.args.is_empty());
    let gather = gather.map(|method| gather_function(service, method));
    let (definition, implementation) = (definition(service), implementation(service, quote!(#(#methods)*)));
    let hidden = hidden(service, quote!(#(#gather)*));
    quote!(#definition #implementation #hidden)
}

/// The struct, with what every client has.
pub(super) fn definition(service: &Service) -> TokenStream {
    let (krate, vis, trait_name) = (&service.krate, &service.item.vis, &service.item.ident);
    let client = names::client(trait_name);
    let (cfg, lint, deprecated) = (&service.attrs.cfg, &service.attrs.lint, &service.attrs.deprecated);
    let doc =
        format!("Calls [`{trait_name}`] in another process, over a client, a peer, any peer or all of them.");
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
        #[allow(dead_code, deprecated, clippy::all, clippy::pedantic)]
        impl<#caller: #krate::Caller> #client<#caller> {
            /// A client that calls over `target`.
            #[must_use]
            #vis fn new(target: impl #krate::IntoCaller<Caller = #caller>) -> Self {
                Self {
                    caller: #krate::IntoCaller::into_caller(target),
                    options: ::core::default::Default::default(),
                }
            }

            /// The same client, whose calls end with an error when no answer came within `limit`.
            #[must_use]
            #vis fn timeout(&self, limit: ::core::time::Duration) -> Self {
                Self {
                    caller: ::core::clone::Clone::clone(&self.caller),
                    options: #krate::CallOptions::timeout(::core::clone::Clone::clone(&self.options), limit),
                }
            }

            #stubs
        }
    }
}

/// Functions that do not depend on what the client calls over.
fn hidden(service: &Service, functions: TokenStream) -> TokenStream {
    if functions.is_empty() {
        return functions;
    }
    let client = names::client(&service.item.ident);
    let cfg = &service.attrs.cfg;
    quote! {
        #(#cfg)*
        #[allow(dead_code, deprecated, unused_lifetimes, clippy::all, clippy::pedantic)]
        impl #client<()> {
            #functions
        }
    }
}

/// What a call and a throw do, and what the call gives.
pub(super) struct Bodies {
    pub(super) call: TokenStream,
    pub(super) throw: TokenStream,
    pub(super) outcome: Outcome,
}

/// The tokens of the call stand at the types of the result, so that what these lack is told there.
fn bodies(service: &Service, method: &Method) -> Bodies {
    let (krate, route) = (&service.krate, &method.route);
    let outcome = Outcome::of(service, method);
    let (ok, error) = (&outcome.ok, &outcome.error);
    let args = gathered(service, method);
    let place = place_of(if matches!(method.output, Output::Result(..)) { error } else { ok });
    let (there, at_ok) = (placed(krate, place), placed(krate, place_of(ok)));
    let serializer = quote_spanned!(place_of(ok)=> &#at_ok::JsonSerializer);
    Bodies {
        call: quote_spanned! {place=>
            #there::Caller::request::<_, _, #ok, #error>(&self.caller, &self.options, #route, #serializer, &#args).await
        },
        throw: quote! {
            #krate::Caller::throw(&self.caller, &self.options, #route, &#krate::JsonSerializer, &#args).await
        },
        outcome,
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
    let Bodies { call, throw: thrown, outcome: Outcome { ok, error } } = bodies;
    let (place, there) = (place_of(error), placed(&caller, place_of(error)));
    let outcome = quote_spanned!(place=> #there::Outcome<#ok, #error>);
    quote! {
        #(#cfg)*
        #doc
        #(#deprecated)*
        #(#lint)*
        #vis async fn #ident #generics (&#lifetime self, #(#declared),*) -> #outcome #where_clause {
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

/// The call of the method's gathering function, or `()`.
fn gathered(service: &Service, method: &Method) -> TokenStream {
    if method.args.is_empty() {
        return quote!(());
    }
    let (client, gather) = (names::client(&service.item.ident), names::gather(method.ident()));
    let references = method.args.iter().map(|arg| {
        let ident = &arg.ident;
        if is_lent(arg) { quote!(#ident) } else { quote!(&#ident) }
    });
    quote!(#client::<()>::#gather(#(#references),*))
}

/// The arguments as they are sent. Calls and throws share this function, and each argument passes through a type that
/// hides it: so whether it can be sent is asked once, at the place where the user wrote its type.
fn gather_function(service: &Service, method: &Method) -> TokenStream {
    let krate = &service.krate;
    let (cfg, gather, generics) =
        (&method.attrs.cfg, names::gather(method.ident()), &method.item.sig.generics);
    let parameters = names::parameters(method.args.len());
    let fields: Vec<&Ident> = method.args.iter().map(|arg| &arg.ident).collect();
    let taken: Vec<_> = method.args.iter().map(taken).collect();
    let hide: Vec<_> = (0..fields.len()).map(names::hide).collect();
    let hiding = method.args.iter().zip(&hide).map(|(arg, hide)| hiding_function(service, method, arg, hide));
    let transparent = (fields.len() == 1).then(|| quote!(#[serde(transparent)]));
    quote! {
        #(#cfg)*
        fn #gather #generics (#(#taken),*) -> impl #krate::__private::serde::Serialize + ::core::marker::Sync {
            use #krate::__private::serde as __communica_serde;
            #[derive(__communica_serde::Serialize)]
            #[serde(crate = "__communica_serde")]
            #transparent
            struct __CommunicaArgs<#(#parameters),*> { #(#fields: #parameters),* }
            #(#hiding)*
            __CommunicaArgs { #(#fields: #hide(#fields)),* }
        }
    }
}

/// An argument goes in and comes out as some type that can be sent, all at the place of its type.
fn hiding_function(service: &Service, method: &Method, arg: &Arg, name: &Ident) -> TokenStream {
    let (place, generics, taken) = (place_of(arg.ty()), &method.item.sig.generics, taken(arg));
    let (krate, value) = (placed(&service.krate, place), placed(&arg.ident, place));
    quote_spanned! {place=>
        fn #name #generics (#taken) -> impl #krate::__private::serde::Serialize + ::core::marker::Sync { #value }
    }
}

fn is_lent(arg: &Arg) -> bool {
    !arg.passing.optional && !matches!(arg.passing.lent, Lent::Nothing(_))
}

/// An argument as the gathering function takes it: what is not lent yet is lent for the time of the call.
fn taken(arg: &Arg) -> TokenStream {
    let (ident, ty) = (&arg.ident, arg.ty());
    if is_lent(arg) { quote!(#ident: #ty) } else { quote!(#ident: &#ty) }
}
