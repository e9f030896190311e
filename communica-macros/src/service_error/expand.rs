//! A checked error type becomes its way to the caller and back. Nothing here can fail.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, format_ident, quote, quote_spanned};
use syn::{Generics, Ident, Type, parse_quote};

use super::model::{ErrorType, Variant};
use crate::expand::placed;
use crate::model::mentions;
use crate::names;

pub(super) fn expand(model: &ErrorType<'_>) -> TokenStream {
    let (krate, ident) = (&model.krate, &model.input.ident);
    let serde = quote!(#krate::__private::serde);
    let mut generics = model.input.generics.clone();
    let (_, arguments, _) = model.input.generics.split_for_impl();
    for parameter in model.input.generics.type_params().map(|parameter| &parameter.ident) {
        let name = parameter.to_string();
        let predicates = &mut generics.make_where_clause().predicates;
        if travelling(model).any(|ty| mentions(ty.to_token_stream(), &name)) {
            predicates.push(parse_quote!(#parameter: #serde::Serialize + #serde::de::DeserializeOwned));
        }
        predicates.push(parse_quote!(#parameter: ::core::marker::Send + 'static));
        predicates.push(parse_quote!(#ident #arguments: ::core::fmt::Display));
        if !model.variants.iter().all(Variant::travels) {
            predicates.push(parse_quote!(#ident #arguments: ::std::error::Error));
        }
    }
    implementations(model, &generics, &into_fault(model), &from_fault(model))
}

/// Implementations that do nothing, so that uses of a wrong type are no further errors.
pub(super) fn fallback(model: &ErrorType<'_>) -> TokenStream {
    let ident = &model.input.ident;
    let mut generics = model.input.generics.clone();
    let (_, arguments, _) = model.input.generics.split_for_impl();
    let bound = parse_quote!(#ident #arguments: ::core::marker::Send + 'static);
    generics.make_where_clause().predicates.push(bound);
    implementations(model, &generics, &quote!(loop {}), &quote!(loop {}))
}

fn travelling<'a>(model: &'a ErrorType<'_>) -> impl Iterator<Item = &'a Type> {
    model.variants.iter().filter(|variant| variant.travels()).flat_map(Variant::types)
}

fn implementations(
    model: &ErrorType<'_>,
    generics: &Generics,
    into_fault: &TokenStream,
    from_fault: &TokenStream,
) -> TokenStream {
    let (krate, ident) = (&model.krate, &model.input.ident);
    let (parameters, arguments, clause) = generics.split_for_impl();
    let (fault, error) = (names::variable("fault"), names::variable("error"));
    quote! {
        #[automatically_derived]
        #[allow(deprecated, unused_variables, clippy::all, clippy::pedantic)]
        impl #parameters #krate::ServiceError for #ident #arguments #clause {
            fn into_fault(self) -> #krate::Fault {
                #into_fault
            }

            fn from_fault(#fault: #krate::Fault) -> ::core::result::Result<Self, #krate::Fault> {
                #from_fault
            }
        }

        #[automatically_derived]
        #[allow(deprecated)]
        impl #parameters ::core::convert::From<#ident #arguments> for #krate::Fault #clause {
            fn from(#error: #ident #arguments) -> Self {
                #krate::ServiceError::into_fault(#error)
            }
        }
    }
}

fn into_fault(model: &ErrorType<'_>) -> TokenStream {
    if model.variants.is_empty() {
        return quote!(match self {});
    }
    let message = names::variable("message");
    let span = Span::call_site().located_at(model.input.ident.span());
    let krate = placed(&model.krate, span);
    let told = quote_spanned!(span=> #krate::__private::Told::told(&self));
    let arms = model.variants.iter().map(|variant| dump_arm(model, variant));
    quote! {
        let #message = #told;
        match self { #(#arms)* }
    }
}

/// One variant taken apart, its fields dumped.
fn dump_arm(model: &ErrorType<'_>, variant: &Variant<'_>) -> TokenStream {
    let (krate, path, name) = (&model.krate, &variant.path, variant.name());
    if !variant.travels() {
        return unknown_arm(model, variant);
    }
    let responder = variant.settings.responder;
    let code = match variant.settings.code {
        Some(code) => quote!(::core::option::Option::Some(#code)),
        None => quote!(::core::option::Option::None),
    };
    let message = names::variable("message");
    let (members, types) = (variant.members(), variant.types());
    if members.is_empty() {
        return quote!(#path {} => #krate::__private::fault(#responder, #code, #message, #name, &()),);
    }
    let (parameters, values) = (names::parameters(types.len()), values(types.len()));
    let data = Data::of(variant, &parameters);
    let (definition, held, built) = (data.definition(model, "Serialize"), data.ty(), data.build(&values));
    quote! {
        #path { #(#members: #values),* } => {
            #definition
            fn __communica_fault<#(#parameters: #krate::__private::Travels),*>(
                message: ::std::string::String,
                data: #held,
            ) -> #krate::Fault {
                #krate::__private::fault(#responder, #code, message, #name, &data)
            }
            __communica_fault::<#(#types),*>(#message, #built)
        }
    }
}

/// One variant told by its message alone.
fn unknown_arm(model: &ErrorType<'_>, variant: &Variant<'_>) -> TokenStream {
    let (path, error) = (&variant.path, names::variable("error"));
    let place = Span::call_site().located_at(variant.ident.span());
    let (krate, whole) = (placed(&model.krate, place), placed(&error, place));
    let unknown = quote_spanned!(place=> #krate::__private::unknown(&#whole));
    quote!(#error @ #path { .. } => #unknown,)
}

fn from_fault(model: &ErrorType<'_>) -> TokenStream {
    let krate = &model.krate;
    let fault = names::variable("fault");
    let travelling = || model.variants.iter().filter(|variant| variant.travels());
    let arms = travelling().map(|variant| load_arm(model, variant));
    let by_code = travelling().filter_map(|variant| {
        let code = variant.settings.code.filter(|_| variant.fields.is_empty())?;
        let (path, responder) = (&variant.path, variant.settings.responder);
        Some(quote! {
            if #krate::Fault::__is(&#fault, #responder, #code) {
                return ::core::result::Result::Ok(#path {});
            }
        })
    });
    quote! {
        match #krate::Fault::__variant(&#fault) {
            #(#arms)*
            ::core::option::Option::Some(_) => ::core::result::Result::Err(#fault),
            // A peer that knows no variants: the code has to do.
            ::core::option::Option::None => {
                #(#by_code)*
                ::core::result::Result::Err(#fault)
            }
        }
    }
}

/// One variant put together from loaded fields.
fn load_arm(model: &ErrorType<'_>, variant: &Variant<'_>) -> TokenStream {
    let (krate, path, name) = (&model.krate, &variant.path, variant.name());
    let (members, types) = (variant.members(), variant.types());
    let (fault, data) = (names::variable("fault"), names::variable("data"));
    if members.is_empty() {
        return quote!(::core::option::Option::Some(#name) => ::core::result::Result::Ok(#path {}),);
    }
    let parameters = names::parameters(types.len());
    let shape = Data::of(variant, &parameters);
    let (definition, held) = (shape.definition(model, "Deserialize"), shape.ty());
    quote! {
        ::core::option::Option::Some(#name) => {
            #definition
            fn __communica_data<#(#parameters: #krate::__private::Travels),*>(
                fault: &#krate::Fault,
            ) -> ::core::option::Option<#held> {
                #krate::Fault::__data(fault)
            }
            match __communica_data::<#(#types),*>(&#fault) {
                ::core::option::Option::Some(#data) => {
                    ::core::result::Result::Ok(#path { #(#members: #data.#members),* })
                }
                ::core::option::Option::None => ::core::result::Result::Err(#fault),
            }
        }
    }
}

/// The fields as they travel: a struct for named ones, a tuple for others, generic over the types of the fields, so
/// that each type is asked once, by name, whether it can travel.
struct Data<'a> {
    variant: &'a Variant<'a>,
    parameters: &'a [Ident],
}

impl<'a> Data<'a> {
    fn of(variant: &'a Variant<'a>, parameters: &'a [Ident]) -> Self {
        Self { variant, parameters }
    }

    fn definition(&self, model: &ErrorType<'_>, derived: &str) -> Option<TokenStream> {
        if !self.variant.is_named() {
            return None;
        }
        let (krate, parameters, fields) = (&model.krate, self.parameters, self.variant.members());
        let derived = Ident::new(derived, Span::call_site());
        let allow = model.allow.iter().chain(&self.variant.allow);
        Some(quote! {
            use #krate::__private::serde as __communica_serde;
            #[derive(__communica_serde::#derived)]
            #[serde(crate = "__communica_serde")]
            #(#allow)*
            struct __CommunicaData<#(#parameters),*> { #(#fields: #parameters),* }
        })
    }

    fn ty(&self) -> TokenStream {
        let parameters = self.parameters;
        if self.variant.is_named() {
            quote!(__CommunicaData<#(#parameters),*>)
        } else {
            quote!((#(#parameters,)*))
        }
    }

    fn build(&self, values: &[Ident]) -> TokenStream {
        let fields = self.variant.members();
        if self.variant.is_named() {
            quote!(__CommunicaData { #(#fields: #values),* })
        } else {
            quote!((#(#values,)*))
        }
    }
}

fn values(count: usize) -> Vec<Ident> {
    (0..count).map(|index| format_ident!("value{index}", span = Span::mixed_site())).collect()
}
