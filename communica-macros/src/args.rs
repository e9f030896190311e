//! `key`, `key = value` lists in attributes become settings; every mistake in a list is told.

use proc_macro2::{TokenStream, TokenTree};
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::{Ident, Path, Token, parse_quote};

use crate::errors::Errors;

/// What stands in `#[communica::service(…)]`.
pub(crate) struct ServiceArgs {
    /// Where generated code finds the library.
    pub(crate) krate: Path,
}

impl ServiceArgs {
    /// A new argument is its name here, its arm below, and a field above.
    const KNOWN: &[&str] = &["crate"];

    pub(crate) fn read(list: TokenStream, errors: &mut Errors) -> Self {
        let mut args = Self { krate: parse_quote!(::communica) };
        read_settings("service", Self::KNOWN, list, errors, |setting| {
            match setting.key.to_string().as_str() {
                "crate" => args.krate = setting.value("a path, as in `crate = ::communica`")?,
                _ => return Ok(false),
            }
            Ok(true)
        });
        args
    }
}

/// One `key` or `key = value`, of which the key is read and the rest is not.
pub(crate) struct Setting<'a> {
    pub(crate) key: Ident,
    rest: ParseStream<'a>,
}

impl Setting<'_> {
    /// The value after `=`; `wanted` completes the sentence "`key` takes …".
    pub(crate) fn value<T: Parse>(&self, wanted: &str) -> syn::Result<T> {
        let wrong = || syn::Error::new(self.key.span(), format!("`{}` takes {wanted}", self.key));
        self.rest.parse::<Token![=]>().map_err(|_| wrong())?;
        self.rest.parse().map_err(|_| wrong())
    }
}

/// Reads a whole list; `take` answers `false` for a key that it does not know.
pub(crate) fn read_settings(
    attribute: &str,
    known: &[&str],
    list: TokenStream,
    errors: &mut Errors,
    mut take: impl FnMut(&Setting<'_>) -> syn::Result<bool>,
) {
    let mut seen: Vec<Ident> = Vec::new();
    let whole = |input: ParseStream<'_>| {
        while !input.is_empty() {
            let key = input.call(Ident::parse_any).map_err(|error| no_key(attribute, known, &error))?;
            let setting = Setting { key, rest: input };
            if seen.contains(&setting.key) {
                errors.at(&setting.key, format!("`{}` is given twice: remove one", setting.key));
            }
            let end = match take(&setting) {
                Ok(true) => Setting::end(&setting),
                Ok(false) => {
                    let sentence =
                        format!("`{attribute}` does not know `{}`: it takes {}", setting.key, listed(known));
                    Err(syn::Error::new(setting.key.span(), sentence))
                }
                Err(error) => Err(error),
            };
            end.unwrap_or_else(|error| errors.push(error));
            seen.push(setting.key);
            skip_to_next(input)?;
        }
        Ok(())
    };
    if let Err(error) = whole.parse2(list) {
        errors.push(error);
    }
}

impl Setting<'_> {
    fn end(&self) -> syn::Result<()> {
        if self.rest.is_empty() || self.rest.peek(Token![,]) {
            return Ok(());
        }
        Err(self.rest.error(format!("`{}` ends here: put a comma before the next one", self.key)))
    }
}

fn no_key(attribute: &str, known: &[&str], error: &syn::Error) -> syn::Error {
    let sentence = format!("`{attribute}` takes a list of settings, of which there are {}", listed(known));
    syn::Error::new(error.span(), sentence)
}

fn listed(known: &[&str]) -> String {
    let known: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    known.join(", ")
}

fn skip_to_next(input: ParseStream<'_>) -> syn::Result<()> {
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<TokenTree>()?;
    }
    input.parse::<Option<Token![,]>>().map(drop)
}
