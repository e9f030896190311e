//! A checked service becomes the trait, its routes and its client. Nothing here can fail.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::spanned::Spanned;

use crate::model::Service;

mod client;
mod fallback;
mod gather;
mod parts;
mod results;
mod routes;
mod server;
mod shared;

pub(crate) use fallback::fallback;

pub(crate) fn expand(service: &Service) -> TokenStream {
    let server = server::service_trait(service);
    let shared = shared::shared_implementation(service);
    let client = client::client(service);
    let (default, results) = (default_format(service), results::no_result_by_another_name(service));
    quote!(#server #shared #client #default #results)
}

/// A service whose methods name no format needs the default one, which is a feature of the library.
fn default_format(service: &Service) -> Option<TokenStream> {
    let (krate, cfg) = (&service.krate, &service.attrs.cfg);
    let unnamed = service.methods.iter().any(|method| method.serializer.is_none());
    unnamed.then(|| quote!(#(#cfg)* #krate::__communica_default_format! {}))
}

/// Where a user wrote something, with the names that generated code sees.
fn place_of(written: &impl Spanned) -> Span {
    Span::call_site().located_at(written.span())
}

/// The path of the library, at a place where a user wrote what a use of it may refuse.
pub(crate) fn placed(path: impl ToTokens, place: Span) -> TokenStream {
    let move_there = |mut tree: TokenTree| {
        tree.set_span(tree.span().located_at(place));
        tree
    };
    path.into_token_stream().into_iter().map(move_there).collect()
}
