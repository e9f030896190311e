//! Every identifier that generated code adds, in one place.
//!
//! Items and generic parameters are seen by users' types that stand near them, so they begin with `__communica`;
//! variables are invisible to users' code by their span.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens as _, format_ident};
use syn::Ident;
use syn::ext::IdentExt as _;

use crate::model::Service;

/// The provided method of the trait.
pub(crate) const INTO_ROUTES: &str = "into_routes";
/// What the client has besides the methods of the trait.
pub(crate) const CLIENT_OWN: &[&str] = &["new", "timeout", "metadata"];

/// The format that asks for rules.
pub(crate) const VALIDATED: &str = "ValidatedSerializer";
/// The format that lends bytes.
pub(crate) const BYTES: &str = "BytesSerializer";

/// `Calculator` → `CalculatorClient`.
pub(crate) fn client(service: &Ident) -> Ident {
    format_ident!("{}Client", service.unraw(), span = service.span())
}

/// `add` → `throw_add`.
pub(crate) fn throw(method: &Ident) -> Ident {
    format_ident!("throw_{}", method.unraw(), span = method.span())
}

/// The client's hidden function that puts the arguments of a method together.
pub(crate) fn gather(method: &Ident) -> Ident {
    format_ident!("__communica_{}", method.unraw(), span = Span::mixed_site())
}

/// Hides the type of one argument.
pub(crate) fn hide(index: usize) -> Ident {
    format_ident!("__communica_hide{index}", span = Span::mixed_site())
}

/// A variable that users' code cannot see.
pub(crate) fn variable(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}

/// One generic parameter for each argument or field.
pub(crate) fn parameters(count: usize) -> Vec<Ident> {
    (0..count).map(|index| format_ident!("__Communica{index}", span = Span::mixed_site())).collect()
}

/// The client's generic parameter: `C`, which reads well in documentation, or a longer name where the
/// methods or their formats use `C` for something else, or a macro could.
pub(crate) fn caller(service: &Service) -> Ident {
    let taken = service.methods.iter().any(|method| {
        mentions_c(method.item.sig.to_token_stream()) || mentions_c(method.serializer.to_token_stream())
    });
    Ident::new(if taken { "__CommunicaC" } else { "C" }, Span::mixed_site())
}

fn mentions_c(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|tree| match tree {
        TokenTree::Group(group) => mentions_c(group.stream()),
        TokenTree::Ident(ident) => ident == "C",
        TokenTree::Punct(punct) => punct.as_char() == '!',
        TokenTree::Literal(_) => false,
    })
}
