//! `into_routes`: for each method, bytes become arguments, arguments a result, and the result bytes.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::{Ident, LitStr};

use super::parts::{rules_of_several, serializer, with_rules};
use super::{place_of, placed};
use crate::model::{Arg, Method, Service};
use crate::names;
use crate::shape::{self, Lent, Output, elided};

pub(super) fn into_routes(service: &Service) -> TokenStream {
    let krate = &service.krate;
    let name = Ident::new(names::INTO_ROUTES, Span::call_site());
    let (table, value) = (names::variable("table"), names::variable("service"));
    let routes = service.methods.iter().map(|method| route(service, method));
    quote! {
        /// Turns this value into the routes of its methods, for a server, or for a client that serves.
        #[track_caller]
        #[allow(dead_code, deprecated, unused_braces, unused_mut, unused_variables, clippy::all, clippy::pedantic)]
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
    let (cfg, allow) = (&method.attrs.cfg, &method.attrs.allow);
    let (table, value) = (names::variable("table"), names::variable("service"));
    let variable = |used: bool, name| if used { names::variable(name).to_token_stream() } else { quote!(_) };
    let (context, payload) = (names::variable("context"), variable(!method.args.is_empty(), "payload"));
    let several = !method.args.is_empty() && method.single().is_none();
    let load = several.then(|| load_function(service, method));
    let (registration, answer) = (registration(service, method), answer(service, method));
    let of_call = |make| method.context.as_ref().map(|_| quote!(let #context = #krate::__private::#make;));
    let wanted = names::variable("wanted");
    let note = quote!(let #wanted = #krate::__private::wants_answer(&#context););
    let share = quote!(let #value = ::core::clone::Clone::clone(&#value););
    let (register, handle) = if method.is_async() {
        let keep = of_call(quote!(context_to_keep(#context)));
        (quote!(method), quote!(#keep #share ::std::boxed::Box::pin(async move { #answer })))
    } else if method.settings.blocking.is_some() {
        let keep = of_call(quote!(context_to_keep(#context)));
        let given_up = variable(method.context.is_some(), "given_up");
        let complete = of_call(quote!(context_of_blocking(#context, #given_up)));
        let run = quote!(#keep #share ::std::boxed::Box::new(move |#given_up| { #complete #answer }));
        (quote!(method_blocking), run)
    } else {
        let make = of_call(quote!(context(#context)));
        (quote!(method_inline), quote!(#make #answer))
    };
    quote! {
        #(#cfg)*
        #(#allow)*
        {
            #load
            let #value = ::core::clone::Clone::clone(&#value);
            #krate::__private::#register(&mut #table, #registration, move |#context, #payload| {
                #note
                #handle
            });
        }
    }
}

/// The method's names on the wire, and what is known about it.
fn registration(service: &Service, method: &Method) -> TokenStream {
    let (krate, idempotent) = (&service.krate, method.settings.idempotent);
    let route = LitStr::new(&method.route, Span::call_site());
    let names = std::iter::once(&route).chain(&method.settings.aliases);
    quote!(#krate::__private::Registration { names: &[#(#names),*], idempotent: #idempotent })
}

/// From the payload to the answer, inside the handler.
fn answer(service: &Service, method: &Method) -> TokenStream {
    let (krate, item, ident) = (&service.krate, &service.item.ident, method.ident());
    let (value, args, fault) =
        (names::variable("service"), names::variable("args"), names::variable("fault"));
    let context = method.context.as_ref().map(|arg| {
        let place = place_of(arg.ty());
        let (krate, context) = (placed(krate, place), placed(names::variable("context"), place));
        let ty = shape::referred(arg.ty());
        quote_spanned!(place=> <#ty as #krate::__private::Given>::given(&#context),)
    });
    let passed = method.args.iter().map(|arg| match method.single() {
        Some(_) => passed(&args.to_token_stream(), arg),
        None => {
            let field = &arg.ident;
            passed(&quote!(#args.#field), arg)
        }
    });
    let wait = method.is_async().then(|| quote!(.await));
    let result = quote!(<Self as #item>::#ident(&#value, #context #(#passed),*) #wait);
    let done = dump(service, method, &result);
    if method.args.is_empty() {
        return done;
    }
    let loaded = loaded(service, method);
    quote! {
        match #loaded {
            ::core::result::Result::Ok(#args) => #done,
            ::core::result::Result::Err(#fault) => ::core::result::Result::Err(#fault),
        }
    }
}

/// The types stand in the turbofish, so that what they lack is told at the place where the user wrote them.
fn dump(service: &Service, method: &Method, result: &TokenStream) -> TokenStream {
    let krate = &service.krate;
    let (Output::Value(ty) | Output::Result(ty, _) | Output::Alias(ty)) = &method.output;
    let (place, there) = (place_of(ty), placed(krate, place_of(ty)));
    let (serializer, wanted) = (serializer(service, method, place), names::variable("wanted"));
    let format = quote_spanned!(place=> &#serializer, #wanted);
    match &method.output {
        Output::Value(ty) => {
            quote_spanned!(place=> #there::__private::dump::<_, #ty>(#format, &#result))
        }
        Output::Result(ok, error) => {
            quote_spanned!(place=> #there::__private::dump_result::<_, #ok, #error>(#format, #result))
        }
        Output::Alias(ty) => {
            let parts = quote_spanned!(place=> <#ty as #there::__private::ResultParts>);
            quote_spanned! {place=>
                #there::__private::dump_result::<_, #parts::Ok, #parts::Err>(#format, #parts::parts(#result))
            }
        }
    }
}

/// The arguments out of the payload, or a fault.
fn loaded(service: &Service, method: &Method) -> TokenStream {
    let payload = names::variable("payload");
    let Some(arg) = method.single() else {
        let types = method.args.iter().map(|arg| owned(service, method, arg));
        return quote!(__communica_load::<#(#types),*>(&#payload));
    };
    let ty = owned(service, method, arg);
    let place = place_of(arg.ty());
    let (krate, serializer) = (placed(&service.krate, place), serializer(service, method, place));
    let load = if is_shared(arg) { quote!(load_lent) } else { quote!(load) };
    let load = placed(load, place);
    let name = arg.ident.unraw().to_string();
    quote_spanned!(place=> #krate::__private::#load::<_, #ty>(&#serializer, &#payload, #name))
}

/// A function from the payload to several arguments. It is generic over their types, so that each type is asked once
/// whether it can be loaded, where the function is called.
fn load_function(service: &Service, method: &Method) -> TokenStream {
    let krate = &service.krate;
    let parameters = names::parameters(method.args.len());
    let fields = method.args.iter().map(|arg| &arg.ident);
    let sync = method.args.iter().map(|arg| is_shared(arg).then(|| quote!(+ ::core::marker::Sync)));
    let (serializer, rules) =
        (serializer(service, method, Span::call_site()), rules_of_several(service, method));
    let checked = with_rules(service, method, Span::call_site());
    // What a caller of another shape is told instead of the struct's name.
    let names: Vec<_> = method.args.iter().map(|arg| format!("`{}`", arg.ident.unraw())).collect();
    let expecting = format!("an object with the arguments {}", names.join(", "));
    quote! {
        use #krate::__private::serde as __communica_serde;
        #[derive(__communica_serde::Deserialize)]
        #[serde(crate = "__communica_serde", expecting = #expecting)]
        struct __CommunicaArgs<#(#parameters),*> { #(#fields: #parameters),* }
        #rules
        fn __communica_load<'__communica, #(#parameters),*>(
            payload: &'__communica #krate::__private::Bytes,
        ) -> ::core::result::Result<__CommunicaArgs<#(#parameters),*>, #krate::Fault>
        where
            #(#parameters: __communica_serde::Deserialize<'__communica> + ::core::marker::Send #sync #checked,)*
        {
            #krate::__private::load_several(&#serializer, payload)
        }
    }
}

/// What the method borrows across threads.
fn is_shared(arg: &Arg) -> bool {
    matches!(arg.passing.lent, Lent::Slice(_) | Lent::Whole(_))
}

/// The type that holds an argument at the responding side.
fn owned(service: &Service, method: &Method, arg: &Arg) -> TokenStream {
    let (krate, span) = (&service.krate, place_of(arg.ty()));
    let held = match &arg.passing.lent {
        Lent::Nothing(ty) | Lent::Whole(ty) => {
            let ty = elided(ty);
            quote!(#ty)
        }
        Lent::Str => quote_spanned!(span=> #krate::__private::Text<'_>),
        Lent::Slice(item) if method.speaks(names::BYTES) => quote_spanned!(span=> &[#item]),
        Lent::Slice(item) => {
            let item = elided(item);
            let span = place_of(&item);
            quote_spanned!(span=> ::std::vec::Vec<#item>)
        }
    };
    if arg.passing.optional { quote_spanned!(span=> ::core::option::Option<#held>) } else { held }
}

/// An argument as the method takes it, out of what was loaded.
fn passed(loaded: &TokenStream, arg: &Arg) -> TokenStream {
    let text = names::variable("text");
    match (&arg.passing.lent, arg.passing.optional) {
        (Lent::Nothing(_), _) => quote!(#loaded),
        (Lent::Str, false) => quote!(&*#loaded.0),
        (Lent::Slice(_), false) => quote!(&*#loaded),
        (Lent::Whole(_), false) => quote!(&#loaded),
        (Lent::Str, true) => quote! {
            ::core::option::Option::map(::core::option::Option::as_ref(&#loaded), |#text| &*#text.0)
        },
        (Lent::Slice(_), true) => quote!(::core::option::Option::as_deref(&#loaded)),
        (Lent::Whole(_), true) => quote!(::core::option::Option::as_ref(&#loaded)),
    }
}
