//! A user's attributes go in, sorted by which generated items take them.

use quote::ToTokens as _;
use syn::punctuated::Punctuated;
use syn::{Attribute, Meta, Token, parse_quote};

/// The attributes that generated items share with the item they were made from.
///
/// The user's own item keeps all of its attributes; what is in no class here stays there alone.
#[derive(Default)]
pub(crate) struct Attrs {
    /// For everything made from the item.
    pub(crate) cfg: Vec<Attribute>,
    /// For the item's counterpart in the client.
    pub(crate) doc: Vec<Attribute>,
    /// For everything that a user calls.
    pub(crate) deprecated: Vec<Attribute>,
    /// For everything that repeats the user's names and types, and that users see.
    pub(crate) lint: Vec<Attribute>,
    /// For what repeats them out of sight: what the user allowed. What they want to be told is told where they wrote it.
    pub(crate) allow: Vec<Attribute>,
}

impl Attrs {
    pub(crate) fn sort(attrs: &[Attribute]) -> Self {
        let mut sorted = Self::default();
        for attr in attrs.iter().flat_map(split_cfg_attr) {
            let path = innermost_path(&attr.meta);
            match path.as_str() {
                "cfg" => sorted.cfg.push(attr),
                "doc" => sorted.doc.push(attr),
                "deprecated" => sorted.deprecated.push(attr),
                "warn" | "deny" | "forbid" => sorted.lint.push(attr),
                "allow" => sorted.allows(attr),
                // An expectation holds for the user's item; that it holds for a copy too is not promised.
                "expect" => sorted.allows(allowed(attr)),
                _ => {}
            }
        }
        sorted
    }

    fn allows(&mut self, attr: Attribute) {
        self.lint.push(attr.clone());
        self.allow.push(attr);
    }
}

/// `#[cfg_attr(p, a, b)]` becomes `#[cfg_attr(p, a)] #[cfg_attr(p, b)]`, so that each falls in its class.
fn split_cfg_attr(attr: &Attribute) -> Vec<Attribute> {
    let Some((predicate, inner)) = cfg_attr_parts(&attr.meta) else {
        return vec![attr.clone()];
    };
    inner.into_iter().map(|meta| parse_quote!(#[cfg_attr(#predicate, #meta)])).collect()
}

fn cfg_attr_parts(meta: &Meta) -> Option<(Meta, Vec<Meta>)> {
    let list = meta.require_list().ok().filter(|list| list.path.is_ident("cfg_attr"))?;
    let metas = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).ok()?;
    let mut metas = metas.into_iter();
    Some((metas.next()?, metas.collect()))
}

/// The name of the attribute, looked for inside `cfg_attr`; empty when it is a path of several segments.
fn innermost_path(meta: &Meta) -> String {
    match cfg_attr_parts(meta) {
        Some((_, inner)) => inner.first().map(innermost_path).unwrap_or_default(),
        None => meta.path().get_ident().map(ToString::to_string).unwrap_or_default(),
    }
}

fn allowed(attr: Attribute) -> Attribute {
    let rename = |list: &syn::MetaList| -> Meta {
        let lints = &list.tokens;
        parse_quote!(allow(#lints))
    };
    match cfg_attr_parts(&attr.meta) {
        Some((predicate, inner)) => {
            let inner = inner.iter().map(|meta| match meta {
                Meta::List(list) => rename(list),
                other => other.clone(),
            });
            parse_quote!(#[cfg_attr(#predicate, #(#inner),*)])
        }
        None => match &attr.meta {
            Meta::List(list) => {
                let meta = rename(list);
                parse_quote!(#[#meta])
            }
            _ => attr,
        },
    }
}

/// Whether an attribute may take away what it stands on.
pub(crate) fn is_cfg(attr: &Attribute) -> bool {
    let path = attr.path().to_token_stream().to_string();
    path == "cfg" || path == "cfg_attr"
}

/// Whether an attribute has this name, or may have it, inside `cfg_attr`.
pub(crate) fn means(attr: &Attribute, name: &str) -> bool {
    split_cfg_attr(attr).iter().any(|attr| innermost_path(&attr.meta) == name)
}
