//! A parsed trait becomes a service: methods, arguments and results, each with the place it was written at.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::{ToTokens as _, format_ident};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{
    AttrStyle, Attribute, Expr, FnArg, ItemTrait, Pat, PatType, Path, Receiver, ReceiverKind, TraitItem,
    TraitItemFn, Type,
};

use crate::args::ServiceArgs;
use crate::attrs::Attrs;
use crate::errors::Errors;
use crate::route_args::RouteArgs;
use crate::shape::{self, Output, Passing};

/// One trait with everything that is known about it.
pub(crate) struct Service {
    pub(crate) krate: Path,
    pub(crate) attrs: Attrs,
    /// The trait as it was written, without what the macro alone understands.
    pub(crate) item: ItemTrait,
    pub(crate) methods: Vec<Method>,
}

/// One method. It is built for wrong methods too, as far as they go; `check` tells what is wrong.
pub(crate) struct Method {
    /// The method as it was written, without `#[route(…)]`.
    pub(crate) item: TraitItemFn,
    pub(crate) attrs: Attrs,
    pub(crate) settings: RouteArgs,
    /// The name on the wire.
    pub(crate) route: String,
    /// The format; JSON without it.
    pub(crate) serializer: Option<Expr>,
    /// `cx: &Context`, which is not sent.
    pub(crate) context: Option<Arg>,
    /// What is sent.
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
    pub(crate) fn of(mut item: ItemTrait, args: ServiceArgs, errors: &mut Errors) -> Self {
        item.attrs.iter_mut().for_each(outside);
        RouteArgs::refuse(&mut item.attrs, errors);
        let methods = item.items.iter_mut().filter_map(|inner| match inner {
            TraitItem::Fn(method) => {
                method.attrs.iter_mut().for_each(outside);
                if let Some(FnArg::Receiver(receiver)) = method.sig.inputs.first_mut() {
                    shorten(receiver);
                }
                let settings = RouteArgs::take(&mut method.attrs, errors);
                Some(Method::of(method.clone(), settings, &args))
            }
            _ => None,
        });
        let methods = methods.collect();
        Self { krate: args.krate, attrs: Attrs::sort(&item.attrs), item, methods }
    }
}

impl Method {
    fn of(item: TraitItemFn, settings: RouteArgs, service: &ServiceArgs) -> Self {
        let typed = item.sig.inputs.iter().filter_map(|input| match input {
            FnArg::Typed(typed) => Some(typed),
            FnArg::Receiver(_) => None,
        });
        let mut all = Vec::new();
        for typed in typed {
            all.push(Arg::of(typed, &all));
        }
        let mut args = all.into_iter().peekable();
        let context = args.next_if(|arg| shape::is_context(arg.ty()));
        let name =
            settings.name.as_ref().map_or_else(|| item.sig.ident.unraw().to_string(), |name| name.value());
        Self {
            attrs: Attrs::sort(&item.attrs),
            route: format!("{}{name}", service.prefix),
            serializer: settings.serializer.clone().or_else(|| service.serializer.clone()),
            settings,
            context,
            args: args.collect(),
            output: Output::of(&item.sig.output),
            item,
        }
    }

    /// The method's name without `r#`.
    pub(crate) fn name(&self) -> String {
        self.ident().unraw().to_string()
    }

    /// The one argument that is sent as it is; otherwise an object is sent, or nothing.
    pub(crate) fn single(&self) -> Option<&Arg> {
        match self.args.as_slice() {
            [arg] if !self.settings.named => Some(arg),
            _ => None,
        }
    }

    /// Whether a serializer of this name is meant. Two of the library's ask for other code than the rest: what the
    /// types of users can is not known here, but what these formats ask of them is.
    pub(crate) fn speaks(&self, name: &str) -> bool {
        self.serializer.as_ref().is_some_and(|serializer| mentions(serializer.to_token_stream(), name))
    }

    /// Everything after `&self`, sent or not.
    pub(crate) fn declared(&self) -> impl Iterator<Item = &Arg> {
        self.context.iter().chain(&self.args)
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

/// `#![allow(…)]` inside of an item becomes `#[allow(…)]` before it, where copies of it can stand too.
fn outside(attr: &mut Attribute) {
    attr.style = AttrStyle::Outer;
}

/// `self: &Self` becomes `&self`, which is the same.
fn shorten(receiver: &mut Receiver) {
    let ReceiverKind::Typed(_, ty) = &receiver.kind else { return };
    let Type::Reference(reference) = shape::peel(ty) else { return };
    let same = matches!(shape::peel(&reference.elem), Type::Path(path) if path.path.is_ident("Self"));
    if same && receiver.mutability.is_none() && reference.mutability.is_none() {
        receiver.kind = ReceiverKind::Reference(reference.and_token, reference.lifetime.clone(), None);
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

/// Whether an identifier stands anywhere in the tokens.
pub(crate) fn mentions(tokens: TokenStream, name: &str) -> bool {
    tokens.into_iter().any(|tree| match tree {
        TokenTree::Group(group) => mentions(group.stream(), name),
        TokenTree::Ident(ident) => ident == name,
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}
