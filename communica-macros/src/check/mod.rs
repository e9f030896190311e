//! A service goes in; every mistake in it comes out, each at its place. One function for each rule.

use quote::{ToTokens, quote};
use syn::TraitItem;

use crate::errors::Errors;
use crate::model::Service;

mod method;
mod route;
mod types;

pub(crate) fn check(service: &Service, errors: &mut Errors) {
    plain_trait(service, errors);
    only_methods(service, errors);
    route::check(service, errors);
    for method in &service.methods {
        method::check(service, method, errors);
        types::check(method, errors);
    }
}

fn plain_trait(service: &Service, errors: &mut Errors) {
    let item = &service.item;
    if !item.generics.params.is_empty() || item.generics.where_clause.is_some() {
        let generics = (&item.generics, &item.generics.where_clause);
        errors.at(
            quote_pair(generics.0, generics.1),
            "a service trait takes no generic parameters and no `where`: its routes are for one set of types",
        );
    }
    if let Some(token) = &item.unsafety {
        errors.at(token, "a service trait is safe: remove `unsafe`");
    }
    if let Some(token) = &item.modifiers.auto_token {
        errors.at(token, "a service trait has methods: remove `auto`");
    }
}

fn quote_pair(first: impl ToTokens, second: impl ToTokens) -> proc_macro2::TokenStream {
    quote!(#first #second)
}

fn only_methods(service: &Service, errors: &mut Errors) {
    for item in &service.item.items {
        let what = match item {
            TraitItem::Fn(_) => continue,
            TraitItem::Type(_) => "an associated type",
            TraitItem::Const(_) => "an associated constant",
            TraitItem::Macro(_) => "a macro call",
            _ => "this item",
        };
        errors.at(item, format!("a service trait has methods only: move {what} out of it"));
    }
}
