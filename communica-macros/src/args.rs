//! `key`, `key = value` lists in attributes become settings; every mistake in a list is told.

use proc_macro2::{TokenStream, TokenTree};
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::{Expr, Ident, LitStr, Path, Token, parse_quote};

use crate::errors::Errors;

/// What stands in `#[communica::service(…)]`.
pub(crate) struct ServiceArgs {
    /// Where generated code finds the library.
    pub(crate) krate: Path,
    /// What every route begins with.
    pub(crate) prefix: String,
    /// The format of methods that name none.
    pub(crate) serializer: Option<Expr>,
}

impl ServiceArgs {
    /// A new argument is its name here, its arm below, and a field above.
    const GRAMMAR: Grammar<'_> = Grammar {
        attribute: "service",
        known: &["prefix", "serializer", "crate"],
        repeated: &[],
        elsewhere: &[],
    };

    pub(crate) fn read(list: TokenStream, errors: &mut Errors) -> Self {
        let mut args = Self { krate: parse_quote!(::communica), prefix: String::new(), serializer: None };
        read_settings(Self::GRAMMAR, list, errors, |setting| {
            match setting.key.to_string().as_str() {
                "crate" => args.krate = setting.value("a path, as in `crate = ::communica`")?,
                "prefix" => {
                    args.prefix = setting.value::<LitStr>("a string, as in `prefix = \"calc.\"`")?.value();
                }
                "serializer" => args.serializer = Some(serializer(setting)?),
                _ => return Ok(false),
            }
            Ok(true)
        });
        args
    }
}

/// The value after `serializer =`: an expression, because a serializer may hold something.
pub(crate) fn serializer(setting: &Setting<'_>) -> syn::Result<Expr> {
    const WANTED: &str = "a value, as in `serializer = MsgPackSerializer`";
    match setting.value(WANTED)? {
        Expr::Lit(_) => Err(setting.wrong(WANTED)),
        value => Ok(value),
    }
}

/// What an attribute may say.
#[derive(Clone, Copy)]
pub(crate) struct Grammar<'a> {
    pub(crate) attribute: &'a str,
    pub(crate) known: &'a [&'a str],
    /// Those that may be given more than once.
    pub(crate) repeated: &'a [&'a str],
    /// Those that the same attribute takes in another place, and where that is.
    pub(crate) elsewhere: &'a [(&'a str, &'a str)],
}

/// One `key` or `key = value`, of which the key is read and the rest is not.
pub(crate) struct Setting<'a> {
    pub(crate) key: Ident,
    rest: ParseStream<'a>,
}

impl Setting<'_> {
    /// The value after `=`; `wanted` completes the sentence "`key` takes …".
    pub(crate) fn value<T: Parse>(&self, wanted: &str) -> syn::Result<T> {
        self.rest.parse::<Token![=]>().map_err(|_| self.wrong(wanted))?;
        self.rest.parse().map_err(|_| self.wrong(wanted))
    }

    fn wrong(&self, wanted: &str) -> syn::Error {
        syn::Error::new(self.key.span(), format!("`{}` takes {wanted}", self.key))
    }

    fn end(&self) -> syn::Result<()> {
        if self.rest.is_empty() || self.rest.peek(Token![,]) {
            return Ok(());
        }
        let sentence = if self.rest.peek(Token![=]) {
            format!("`{}` takes no value: it is given or not", self.key)
        } else {
            format!("`{}` ends here: put a comma before the next one", self.key)
        };
        Err(self.rest.error(sentence))
    }
}

/// Reads a whole list; `take` answers `false` for a key that it does not know.
pub(crate) fn read_settings(
    grammar: Grammar<'_>,
    list: TokenStream,
    errors: &mut Errors,
    mut take: impl FnMut(&Setting<'_>) -> syn::Result<bool>,
) {
    let mut seen: Vec<Ident> = Vec::new();
    let whole = |input: ParseStream<'_>| {
        while !input.is_empty() {
            let key = input.call(Ident::parse_any).map_err(|error| grammar.no_key(&error))?;
            let setting = Setting { key, rest: input };
            if seen.contains(&setting.key) && !grammar.repeated.iter().any(|name| setting.key == name) {
                errors.at(&setting.key, format!("`{}` is given twice: remove one", setting.key));
            }
            let end = match take(&setting) {
                Ok(true) => setting.end(),
                Ok(false) => Err(grammar.unknown(&setting.key)),
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

impl Grammar<'_> {
    fn unknown(&self, key: &Ident) -> syn::Error {
        let (attribute, known) = (self.attribute, self.listed());
        let sentence = match self.elsewhere.iter().find(|(name, _)| key == name) {
            Some((_, place)) => format!("`{key}` stands on {place}: here `{attribute}` takes {known}"),
            None => format!("`{attribute}` does not know `{key}`: it takes {known}"),
        };
        syn::Error::new(key.span(), sentence)
    }

    fn no_key(&self, error: &syn::Error) -> syn::Error {
        let (attribute, known) = (self.attribute, self.listed());
        let sentence = format!("`{attribute}` takes a list of settings, of which there are {known}");
        syn::Error::new(error.span(), sentence)
    }

    fn listed(&self) -> String {
        let known: Vec<String> = self.known.iter().map(|name| format!("`{name}`")).collect();
        known.join(", ")
    }
}

fn skip_to_next(input: ParseStream<'_>) -> syn::Result<()> {
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<TokenTree>()?;
    }
    input.parse::<Option<Token![,]>>().map(drop)
}
