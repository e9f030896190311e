//! Results whose names end with `Result` → a refusal to compile where one is a `Result` by another name: its error would be sent as
//! a value, as if all were well.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens as _, quote_spanned};
use syn::{Ident, Type};

use super::{place_of, placed};
use crate::model::{Method, Service};
use crate::shape::Output;

pub(super) fn no_result_by_another_name(service: &Service) -> TokenStream {
    service.methods.iter().filter_map(|method| refusal(service, method)).collect()
}

fn refusal(service: &Service, method: &Method) -> Option<TokenStream> {
    let Output::Value(ty) = &method.output else { return None };
    let name = name_of(ty).filter(|name| name.to_string().ends_with("Result"))?;
    if stands_for_more(ty.to_token_stream()) {
        return None;
    }
    let place = place_of(ty);
    let (krate, cfg) = (placed(&service.krate, place), &method.attrs.cfg);
    let trait_cfg = &service.attrs.cfg;
    let what = format!(
        "`{name}` is a `Result` by another name, and would be sent as a value: write `Result<…>`, or give the alias that name; to \
         send one whole, put it into a struct"
    );
    Some(quote_spanned! {place=>
        #(#trait_cfg)*
        #(#cfg)*
        #[allow(deprecated)]
        const _: () = {
            use #krate::__private::NoResult as _;
            ::core::assert!(!<#krate::__private::Probe<#ty>>::IS_RESULT, #what);
        };
    })
}

fn name_of(ty: &Type) -> Option<&Ident> {
    let Type::Path(path) = ty else { return None };
    path.path.segments.last().map(|segment| &segment.ident)
}

/// Has lifetimes or a `Self`, which mean something in the trait only.
fn stands_for_more(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|tree| match tree {
        TokenTree::Punct(mark) => mark.as_char() == '\'',
        TokenTree::Ident(word) => word == "Self",
        TokenTree::Group(group) => stands_for_more(group.stream()),
        TokenTree::Literal(_) => false,
    })
}
