//! The tokens of a trait go in; out come the trait, its routes and its client, or what is wrong and a stand-in.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Item, ItemTrait};

use crate::args::ServiceArgs;
use crate::check::check;
use crate::errors::Errors;
use crate::expand::{expand, fallback};
use crate::model::Service;

pub(crate) fn service(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let args = ServiceArgs::read(args, &mut errors);
    let Some(parsed) = parse(&item, &mut errors) else {
        let errors = errors.into_tokens();
        return quote!(#errors #item);
    };
    let service = Service::of(parsed, args, &mut errors);
    check(&service, &mut errors);
    if errors.is_empty() {
        return expand(&service);
    }
    let (errors, stand_in) = (errors.into_tokens(), fallback(&service));
    quote!(#errors #stand_in)
}

fn parse(item: &TokenStream, errors: &mut Errors) -> Option<ItemTrait> {
    match syn::parse2(item.clone()) {
        Ok(Item::Trait(item)) => return Some(item),
        Ok(_) => {
            let sentence =
                "`#[communica::service]` stands on a trait: declare the methods in one and implement it";
            errors.push(syn::Error::new(Span::call_site(), sentence));
        }
        Err(error) => errors.push(error),
    }
    None
}
