//! The tokens of an error type go in; out comes how it crosses to the caller, or what is wrong and a stand-in.

use proc_macro2::TokenStream;
use quote::quote;
use syn::DeriveInput;

use crate::errors::Errors;
use model::ErrorType;

mod check;
mod expand;
mod model;

pub(crate) fn derive(item: TokenStream) -> TokenStream {
    let input: DeriveInput = match syn::parse2(item) {
        Ok(input) => input,
        Err(error) => return error.into_compile_error(),
    };
    let mut errors = Errors::default();
    let model = ErrorType::of(&input, &mut errors);
    check::check(&model, &mut errors);
    if errors.is_empty() {
        return expand::expand(&model);
    }
    let (errors, stand_in) = (errors.into_tokens(), expand::fallback(&model));
    quote!(#errors #stand_in)
}
