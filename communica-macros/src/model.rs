//! A parsed trait becomes a service: methods, arguments and results, each with the place it was written at.

use proc_macro2::Ident;
use quote::format_ident;
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{FnArg, ItemTrait, Pat, PatType, Path, Receiver, TraitItem, TraitItemFn, Type};

use crate::args::ServiceArgs;
use crate::attrs::Attrs;
use crate::shape::{Output, Passing};

/// One trait with everything that is known about it.
pub(crate) struct Service {
    pub(crate) krate: Path,
    pub(crate) attrs: Attrs,
    /// The trait as it was written.
    pub(crate) item: ItemTrait,
    pub(crate) methods: Vec<Method>,
}

/// One method. It is built for wrong methods too, as far as they go; `check` tells what is wrong.
pub(crate) struct Method {
    /// The method as it was written.
    pub(crate) item: TraitItemFn,
    pub(crate) attrs: Attrs,
    /// The name on the wire.
    pub(crate) route: String,
    pub(crate) args: Vec<Arg>,
    pub(crate) output: Output,
}

/// One argument after `&self`.
pub(crate) struct Arg {
    pub(crate) item: PatType,
    pub(crate) ident: Ident,
    /// `mut` before the name, which only a default body may have.
    pub(crate) mutable: bool,
    pub(crate) passing: Passing,
}

impl Service {
    pub(crate) fn of(item: ItemTrait, args: ServiceArgs) -> Self {
        let methods = item.items.iter().filter_map(|inner| match inner {
            TraitItem::Fn(method) => Some(Method::of(method.clone())),
            _ => None,
        });
        let methods = methods.collect();
        Self { krate: args.krate, attrs: Attrs::sort(&item.attrs), item, methods }
    }
}

impl Method {
    fn of(item: TraitItemFn) -> Self {
        let typed = item.sig.inputs.iter().filter_map(|input| match input {
            FnArg::Typed(typed) => Some(typed),
            FnArg::Receiver(_) => None,
        });
        let mut args = Vec::new();
        for typed in typed {
            args.push(Arg::of(typed, &args));
        }
        Self {
            attrs: Attrs::sort(&item.attrs),
            route: item.sig.ident.unraw().to_string(),
            args,
            output: Output::of(&item.sig.output),
            item,
        }
    }

    pub(crate) fn ident(&self) -> &Ident {
        &self.item.sig.ident
    }

    pub(crate) fn is_async(&self) -> bool {
        self.item.sig.asyncness.is_some()
    }

    pub(crate) fn receiver(&self) -> Option<&Receiver> {
        match self.item.sig.inputs.first()? {
            FnArg::Receiver(receiver) => Some(receiver),
            FnArg::Typed(_) => None,
        }
    }
}

impl Arg {
    /// An argument whose name is missing or taken gets another one.
    fn of(item: &PatType, before: &[Self]) -> Self {
        let free = |name: &(Ident, bool)| !before.iter().any(|other| other.ident.unraw() == name.0.unraw());
        let (ident, mutable) = plain_name(&item.pat).filter(free).unwrap_or_else(|| {
            let index = before.len();
            (format_ident!("__communica_arg{index}", span = item.pat.span()), false)
        });
        Self { ident, mutable, passing: Passing::of(&item.ty), item: item.clone() }
    }

    pub(crate) fn ty(&self) -> &Type {
        &self.item.ty
    }
}

/// The name in `name: T` or `mut name: T`; `None` for any other pattern.
pub(crate) fn plain_name(pat: &Pat) -> Option<(Ident, bool)> {
    match pat {
        Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none() => {
            Some((pat.ident.clone(), pat.mutability.is_some()))
        }
        _ => None,
    }
}
