//! The arguments of a call become something that dumps itself.
//!
//! Calls and throws share one function for each method, in which every type of the user is known and named once: so
//! whether it can be sent is asked once, at the place where the user wrote it.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::Ident;

use super::parts::{rules_of_several, serializer, with_rules};
use super::{place_of, placed};
use crate::model::{Arg, Method, Service};
use crate::names;
use crate::shape::Lent;

/// What a call over the method's format needs: it loads the result; the arguments dump themselves.
pub(super) fn format(service: &Service, method: &Method, place: Span) -> TokenStream {
    let (krate, serializer) = (placed(&service.krate, place), serializer(service, method, place));
    quote_spanned!(place=> &#krate::__private::Format(#serializer))
}

/// A call of the method's gathering function.
pub(super) fn gathered(service: &Service, method: &Method) -> TokenStream {
    let krate = &service.krate;
    let (client, gather) = (names::client(&service.item.ident), names::gather(method.ident()));
    let references = method.args.iter().map(|arg| {
        let ident = &arg.ident;
        if is_lent(arg) { quote!(#ident) } else { quote!(&#ident) }
    });
    quote!(&#krate::__private::Args(#client::<()>::#gather(#(#references),*)))
}

/// The gathering functions, which do not depend on what the client calls over.
pub(super) fn gathering(service: &Service) -> TokenStream {
    if service.methods.is_empty() {
        return TokenStream::new();
    }
    let client = names::client(&service.item.ident);
    let (cfg, allow) = (&service.attrs.cfg, &service.attrs.allow);
    let functions = service.methods.iter().map(|method| gather_function(service, method));
    quote! {
        #(#cfg)*
        #(#allow)*
        #[allow(dead_code, deprecated, unused_braces, unused_lifetimes, clippy::all, clippy::pedantic)]
        impl #client<()> {
            #(#functions)*
        }
    }
}

fn gather_function(service: &Service, method: &Method) -> TokenStream {
    let krate = &service.krate;
    let (cfg, allow, gather) = (&method.attrs.cfg, &method.attrs.allow, names::gather(method.ident()));
    let generics = &method.item.sig.generics;
    let taken: Vec<_> = method.args.iter().map(taken).collect();
    let place = method.single().map_or_else(Span::call_site, |arg| place_of(arg.ty()));
    let there = placed(krate, place);
    let dumps = quote_spanned! {place=>
        impl ::core::ops::Fn() -> ::core::result::Result<#there::__private::Payload, #there::SerializerError>
            + ::core::marker::Send
            + ::core::marker::Sync
    };
    let body = match method.single() {
        Some(arg) => single(service, method, arg),
        None if method.args.is_empty() && !method.settings.named => {
            let serializer = serializer(service, method, Span::call_site());
            quote!(|| #krate::Dump::dump(&#serializer, &()))
        }
        None => several(service, method),
    };
    quote! {
        #(#cfg)*
        #(#allow)*
        fn #gather #generics (#(#taken),*) -> #dumps { #body }
    }
}

/// One argument is dumped as it is.
fn single(service: &Service, method: &Method, arg: &Arg) -> TokenStream {
    let place = place_of(arg.ty());
    let (krate, value) = (placed(&service.krate, place), placed(&arg.ident, place));
    let (serializer, sent) = (serializer(service, method, place), sent(arg));
    quote_spanned!(place=> move || #krate::Dump::<#sent>::dump(&#serializer, #value))
}

/// Several are the fields of a struct. Each passes through a function that hides its type, and is asked there.
fn several(service: &Service, method: &Method) -> TokenStream {
    let krate = &service.krate;
    let parameters = names::parameters(method.args.len());
    let fields: Vec<&Ident> = method.args.iter().map(|arg| &arg.ident).collect();
    let hide: Vec<_> = (0..fields.len()).map(names::hide).collect();
    let hiding = method.args.iter().zip(&hide).map(|(arg, hide)| hiding_function(service, method, arg, hide));
    let args = names::variable("args");
    let (serializer, rules) =
        (serializer(service, method, Span::call_site()), rules_of_several(service, method));
    quote! {
        use #krate::__private::serde as __communica_serde;
        #[derive(__communica_serde::Serialize)]
        #[serde(crate = "__communica_serde")]
        struct __CommunicaArgs<#(#parameters),*> { #(#fields: #parameters),* }
        #rules
        #(#hiding)*
        let #args = __CommunicaArgs { #(#fields: #hide(#fields)),* };
        move || #krate::Dump::dump(&#serializer, &#args)
    }
}

/// An argument goes in and comes out as some type that can be sent, all at the place of its type.
fn hiding_function(service: &Service, method: &Method, arg: &Arg, name: &Ident) -> TokenStream {
    let (place, generics, taken) = (place_of(arg.ty()), &method.item.sig.generics, taken(arg));
    let (krate, value) = (placed(&service.krate, place), placed(&arg.ident, place));
    let rules = with_rules(service, method, place);
    quote_spanned! {place=>
        fn #name #generics (#taken) -> impl #krate::__private::serde::Serialize
            #rules
            + ::core::marker::Send
            + ::core::marker::Sync
        {
            #value
        }
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

/// The type that is dumped when an argument is sent alone.
fn sent(arg: &Arg) -> TokenStream {
    let ty = match &arg.passing.lent {
        _ if arg.passing.optional => arg.ty(),
        Lent::Nothing(ty) | Lent::Whole(ty) => ty,
        Lent::Str => return placed(quote!(::core::primitive::str), place_of(arg.ty())),
        Lent::Slice(item) => {
            let place = place_of(arg.ty());
            return quote_spanned!(place=> [#item]);
        }
    };
    quote!(#ty)
}
