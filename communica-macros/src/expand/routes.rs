//! `into_routes`: for each method, bytes become arguments, arguments a result, and the result bytes.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::{Ident, Path};

use super::shared::sync_if_lent;
use super::{place_of, placed};
use crate::model::{Arg, Method, Service};
use crate::names;
use crate::shape::{Lent, Output, elided};

pub(super) fn into_routes(service: &Service) -> TokenStream {
    let krate = &service.krate;
    let name = Ident::new(names::INTO_ROUTES, Span::call_site());
    let (table, value) = (names::variable("table"), names::variable("service"));
    let routes = service.methods.iter().map(|method| route(service, method));
    quote! {
        /// Turns this value into the routes of its methods, for a server, or for a client that serves.
        #[track_caller]
        #[allow(dead_code, deprecated, unused_mut, unused_variables, clippy::all, clippy::pedantic)]
        fn #name(self) -> #krate::RouteTable
        where
            Self: ::core::marker::Sized + ::core::marker::Send + ::core::marker::Sync + 'static,
        {
            let mut #table = #krate::RouteTable::new();
            let #value = ::std::sync::Arc::new(self);
            #(#routes)*
            #table
        }
    }
}

/// Registers one method.
fn route(service: &Service, method: &Method) -> TokenStream {
    let krate = &service.krate;
    let (cfg, name) = (&method.attrs.cfg, &method.route);
    let (table, value) = (names::variable("table"), names::variable("service"));
    let payload =
        if method.args.is_empty() { quote!(_) } else { names::variable("payload").to_token_stream() };
    let load = (!method.args.is_empty()).then(|| load_function(krate, &method.args));
    let answer = answer(service, method);
    let (register, handle) = if method.is_async() {
        let run = quote! {
            let #value = ::core::clone::Clone::clone(&#value);
            ::std::boxed::Box::pin(async move { #answer })
        };
        (quote!(method), run)
    } else {
        (quote!(method_inline), answer)
    };
    quote! {
        #(#cfg)*
        {
            #load
            let #value = ::core::clone::Clone::clone(&#value);
            #krate::__private::#register(&mut #table, #name, move |_, #payload| { #handle });
        }
    }
}

/// From the payload to the answer, inside the handler.
fn answer(service: &Service, method: &Method) -> TokenStream {
    let (krate, item, ident) = (&service.krate, &service.item.ident, method.ident());
    let (value, payload, args) =
        (names::variable("service"), names::variable("payload"), names::variable("args"));
    let fault = names::variable("fault");
    let passed = method.args.iter().map(|arg| passed(&args, arg));
    let wait = method.is_async().then(|| quote!(.await));
    let result = quote!(<Self as #item>::#ident(&#value, #(#passed),*) #wait);
    let done = dump(krate, &method.output, &result);
    if method.args.is_empty() {
        return done;
    }
    let types = method.args.iter().map(|arg| owned(krate, arg));
    quote! {
        match __communica_load::<#(#types),*>(&#payload) {
            ::core::result::Result::Ok(#args) => #done,
            ::core::result::Result::Err(#fault) => ::core::result::Result::Err(#fault),
        }
    }
}

/// The types stand in the turbofish, so that what they lack is told at the place where the user wrote them.
fn dump(krate: &Path, output: &Output, result: &TokenStream) -> TokenStream {
    let (Output::Value(ty) | Output::Result(ty, _) | Output::Alias(ty)) = output;
    let (place, there) = (place_of(ty), placed(krate, place_of(ty)));
    let serializer = quote_spanned!(place=> &#there::JsonSerializer);
    match output {
        Output::Value(ty) => quote_spanned!(place=> #there::__private::dump::<_, #ty>(#serializer, &#result)),
        Output::Result(ok, error) => {
            quote_spanned!(place=> #there::__private::dump_result::<_, #ok, #error>(#serializer, #result))
        }
        Output::Alias(_) => quote!(#krate::__private::dump_result(#serializer, #result)),
    }
}

/// A function from the payload to the arguments. It is generic over their types, so that each type is asked once
/// whether it can be loaded, where the function is called.
fn load_function(krate: &Path, args: &[Arg]) -> TokenStream {
    let parameters = names::parameters(args.len());
    let fields = args.iter().map(|arg| &arg.ident);
    let sync = args.iter().map(sync_if_lent);
    let transparent = (args.len() == 1).then(|| quote!(#[serde(transparent)]));
    quote! {
        use #krate::__private::serde as __communica_serde;
        #[derive(__communica_serde::Deserialize)]
        #[serde(crate = "__communica_serde")]
        #transparent
        struct __CommunicaArgs<#(#parameters),*> { #(#fields: #parameters),* }
        fn __communica_load<'__communica, #(#parameters),*>(
            payload: &'__communica #krate::__private::Bytes,
        ) -> ::core::result::Result<__CommunicaArgs<#(#parameters),*>, #krate::Fault>
        where
            #(#parameters: __communica_serde::Deserialize<'__communica> + ::core::marker::Send #sync,)*
        {
            #krate::__private::load(&#krate::JsonSerializer, payload)
        }
    }
}

/// The type that holds an argument at the responding side.
fn owned(krate: &Path, arg: &Arg) -> TokenStream {
    let span = place_of(arg.ty());
    let held = match &arg.passing.lent {
        Lent::Nothing(ty) => {
            let ty = elided(ty);
            quote!(#ty)
        }
        Lent::Str => quote_spanned!(span=> #krate::__private::Text<'_>),
        Lent::Slice(item) => {
            let item = elided(item);
            let span = place_of(&item);
            quote_spanned!(span=> ::std::vec::Vec<#item>)
        }
        Lent::Whole(ty) => {
            let ty = elided(ty);
            quote!(#ty)
        }
    };
    if arg.passing.optional { quote_spanned!(span=> ::core::option::Option<#held>) } else { held }
}

/// An argument as the method takes it, out of the loaded `args`.
fn passed(args: &Ident, arg: &Arg) -> TokenStream {
    let field = &arg.ident;
    let text = names::variable("text");
    match (&arg.passing.lent, arg.passing.optional) {
        (Lent::Nothing(_), _) => quote!(#args.#field),
        (Lent::Str, false) => quote!(&*#args.#field.0),
        (Lent::Slice(_), false) => quote!(&*#args.#field),
        (Lent::Whole(_), false) => quote!(&#args.#field),
        (Lent::Str, true) => quote! {
            ::core::option::Option::map(::core::option::Option::as_ref(&#args.#field), |#text| &*#text.0)
        },
        (Lent::Slice(_), true) => quote!(::core::option::Option::as_deref(&#args.#field)),
        (Lent::Whole(_), true) => quote!(::core::option::Option::as_ref(&#args.#field)),
    }
}
