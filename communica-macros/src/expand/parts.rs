//! A method or an argument goes in; a piece comes out that more than one generated item has.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::{Lifetime, ReceiverKind};

use super::{place_of, placed};
use crate::model::{Arg, Method, Service};
use crate::names;

/// `'a` in `&'a self`.
pub(super) fn receiver_lifetime(method: &Method) -> Option<&Lifetime> {
    match &method.receiver()?.kind {
        ReceiverKind::Reference(_, lifetime, _) => lifetime.as_ref(),
        _ => None,
    }
}

/// `name: Type`, as a parameter.
pub(super) fn declared(arg: &Arg) -> TokenStream {
    let (ident, ty) = (&arg.ident, arg.ty());
    quote!(#ident: #ty)
}

/// The method's serializer, as something that stands at `place`: what a type there lacks is told there, and not where
/// the serializer was named. That it is a serializer at all is asked where it was named, in the same words each time,
/// of which the compiler tells the first.
pub(super) fn serializer(service: &Service, method: &Method, place: Span) -> TokenStream {
    match &method.serializer {
        Some(value) => {
            let (krate, named) = (placed(&service.krate, place_of(value)), place_of(value));
            let chosen = quote_spanned!(named=> #krate::__private::chosen(#value));
            quote_spanned!(place=> { #chosen })
        }
        None => {
            let krate = placed(&service.krate, place);
            quote_spanned!(place=> #krate::__private::DefaultSerializer)
        }
    }
}

/// For a format that checks values: that there are rules for them, beside `: Serialize` and the like.
pub(super) fn with_rules(service: &Service, method: &Method, place: Span) -> Option<TokenStream> {
    let krate = placed(&service.krate, place);
    method.speaks(names::VALIDATED).then(|| quote_spanned!(place=> + #krate::Validated))
}

/// For a format that checks values: several arguments keep the rules of each.
pub(super) fn rules_of_several(service: &Service, method: &Method) -> Option<TokenStream> {
    if !method.speaks(names::VALIDATED) {
        return None;
    }
    let krate = &service.krate;
    let parameters = names::parameters(method.args.len());
    let fields: Vec<_> = method.args.iter().map(|arg| &arg.ident).collect();
    let keys = fields.iter().map(|field| field.unraw().to_string());
    Some(quote! {
        impl<#(#parameters: #krate::Validated),*> #krate::Validated for __CommunicaArgs<#(#parameters),*> {
            fn check(&self, broken: &mut #krate::BrokenRules) {
                #(#krate::BrokenRules::field(broken, #keys, &self.#fields);)*
            }
        }
    })
}
