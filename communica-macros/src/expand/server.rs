//! The user's trait: as written, with `Send` on its futures, and with `into_routes`.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::{Block, Expr, FnArg, Pat, ReturnType, Signature, Stmt, TraitItem, TraitItemFn, parse_quote};

use super::routes::into_routes;
use super::{place_of, placed};
use crate::attrs::Attrs;
use crate::model::{Method, Service, plain_name};
use crate::names;

pub(super) fn service_trait(service: &Service) -> TokenStream {
    let mut item = service.item.clone();
    item.items = service.methods.iter().map(|method| TraitItem::Fn(with_send(method))).collect();
    item.items.push(TraitItem::Verbatim(into_routes(service)));
    without_parameters(quote!(#item))
}

/// `trait Desk` becomes `trait Desk<>`, with brackets that nobody wrote: to a type that it does not know, the compiler
/// would otherwise add, once more, that the trait could have a parameter of that name.
fn without_parameters(item: TokenStream) -> TokenStream {
    let mut named = false;
    let spread = item.into_iter().flat_map(|tree| {
        let name = std::mem::replace(&mut named, matches!(&tree, TokenTree::Ident(word) if word == "trait"));
        [Some(TokenStream::from(tree)), name.then(|| quote!(<>))].into_iter().flatten()
    });
    spread.collect()
}

/// `async fn m(&self, a: A) -> T;` becomes `fn m(&self, a: A) -> impl Future<Output = T> + Send;`,
/// which an `async fn` in an `impl` fits. Plain methods stay.
fn with_send(method: &Method) -> TraitItemFn {
    let mut item = method.item.clone();
    if !method.is_async() {
        return item;
    }
    item.sig.output = future_of(&method.item.sig);
    item.sig.asyncness = None;
    if let Some(body) = &mut item.default {
        *body = waiting(method, body);
        item.attrs.push(parse_quote!(#[allow(clippy::manual_async_fn, clippy::redundant_locals)]));
        item.sig.generics.make_where_clause().predicates.push(parse_quote!(Self: ::core::marker::Sync));
        for input in &mut item.sig.inputs {
            without_mut(input);
        }
    }
    item
}

/// `T` → `impl Future<Output = T> + Send`
pub(super) fn future_of(sig: &Signature) -> ReturnType {
    let (output, place) = result_of(sig);
    let future = quote_spanned!(place=> impl ::core::future::Future<Output = #output> + ::core::marker::Send);
    parse_quote!(-> #future)
}

/// The result's type, and where it was written, or where it was left out.
fn result_of(sig: &Signature) -> (TokenStream, Span) {
    match &sig.output {
        ReturnType::Default => (quote!(()), place_of(&sig.ident)),
        ReturnType::Type(_, ty) => (quote!(#ty), place_of(ty)),
    }
}

/// The body as a future that owns every argument until it ends, as the one of an `async fn` does.
fn waiting(method: &Method, body: &Block) -> Block {
    let keep = method.declared().filter(|arg| plain_name(&arg.item.pat).is_some()).map(|arg| {
        let (ident, lint) = (&arg.ident, Attrs::sort(&arg.item.attrs).lint);
        let mutability = arg.mutable.then(|| quote!(mut));
        quote!(#(#lint)* let #mutability #ident = #ident;)
    });
    let (statements, span) = (&body.stmts, Span::call_site().located_at(body.brace_token.span.join()));
    let typed = typed(&method.item.sig);
    let future = quote_spanned!(span=> async move { #typed #(#keep)* #(#statements)* });
    Block { brace_token: body.brace_token, stmts: vec![Stmt::Expr(Expr::Verbatim(future), None)] }
}

/// An `async` block cannot name its type: a first `return`, which never runs, does. So what the body gives becomes the
/// result (`Box<[u8; 3]>` a `Box<[u8]>`), and what does not fit is told where it is given.
fn typed(sig: &Signature) -> TokenStream {
    let (output, place) = result_of(sig);
    let result = placed(names::variable("result"), place);
    quote_spanned! {place=>
        if let ::core::option::Option::Some(#result) = ::core::option::Option::None::<#output> {
            return #result;
        }
    }
}

fn without_mut(input: &mut FnArg) {
    let FnArg::Typed(typed) = input else { return };
    if let Pat::Ident(pat) = &mut *typed.pat {
        pat.mutability = None;
    }
}
