//! A service with mistakes still becomes a trait and a client, so that uses of them are no further errors.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::ext::IdentExt as _;
use syn::{FnArg, Pat, ReturnType, TraitItem, TraitItemFn, parse_quote};

use super::client::{Bodies, Outcome, definition, implementation, stub};
use super::parts::serializer;
use crate::model::{Method, Service};
use crate::names;
use crate::shape::{Output, Parts, tells_nothing_apart};

pub(crate) fn fallback(service: &Service) -> TokenStream {
    let service_trait = tolerant_trait(service);
    let definition = definition(service);
    let stubs = if service.item.generics.params.is_empty() {
        let stubs = usable(service).map(|method| tolerant_stub(service, method));
        quote!(#(#stubs)*)
    } else {
        TokenStream::new()
    };
    let implementation = implementation(service, stubs);
    quote!(#service_trait #definition #[allow(unused)] #implementation)
}

/// A stub that does nothing. Where the result is a mistake, the stub has none.
fn tolerant_stub(service: &Service, method: &Method) -> TokenStream {
    let sendable = match &method.item.sig.output {
        ReturnType::Default => true,
        ReturnType::Type(_, ty) => Parts::of(ty).are_sendable(),
    };
    let told_apart = match &method.output {
        Output::Result(_, error) => !tells_nothing_apart(error),
        Output::Value(_) | Output::Alias(_) => true,
    };
    let outcome =
        if sendable && told_apart { Outcome::of(service, method) } else { Outcome::nothing(service) };
    // The serializer is named, so that its import is not called unused.
    let serializer = serializer(service, method, Span::call_site());
    let call = quote!({ let _ = || #serializer; loop {} });
    stub(service, method, &Bodies { call, throw: quote!(loop {}), outcome, bound: None })
}

/// Methods that clash with nothing: a clash would be told a second time.
fn usable(service: &Service) -> impl Iterator<Item = &Method> {
    let taken = |name: &str| names::CLIENT_OWN.contains(&name) || name.starts_with("throw_");
    let first = |index: usize, name: &str| !service.methods[..index].iter().any(|other| other.name() == name);
    let methods = service.methods.iter().enumerate();
    methods
        .filter(move |(index, method)| !taken(&method.name()) && first(*index, &method.name()))
        .map(|(_, method)| method)
}

/// What the user wrote, without what the compiler would refuse again.
fn tolerant_trait(service: &Service) -> TokenStream {
    let krate = &service.krate;
    let mut item = service.item.clone();
    item.modifiers.auto_token = None;
    let mut seen: Vec<String> = Vec::new();
    item.items.retain_mut(|item| match item {
        TraitItem::Fn(method) => {
            tolerate(method);
            let name = method.sig.ident.unraw().to_string();
            let repeated = seen.contains(&name);
            seen.push(name);
            !repeated
        }
        _ => true,
    });
    if !seen.iter().any(|name| name == names::INTO_ROUTES) {
        item.items.push(parse_quote! {
            #[doc(hidden)]
            fn into_routes(self) -> #krate::RouteTable where Self: ::core::marker::Sized { loop {} }
        });
    }
    quote!(#[allow(async_fn_in_trait, unused, clippy::all)] #item)
}

fn tolerate(method: &mut TraitItemFn) {
    method.modifiers.defaultness = None;
    method.sig.constness = None;
    method.sig.variadic = None;
    if method.default.is_some() {
        method.default = Some(parse_quote!({ loop {} }));
    }
    for input in &mut method.sig.inputs {
        if let FnArg::Typed(typed) = input {
            typed.attrs.clear();
            *typed.pat = Pat::Verbatim(quote!(_));
        }
    }
}
