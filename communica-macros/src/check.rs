//! A service goes in; every mistake in it comes out, each at its place. One function for each rule.

use std::collections::HashMap;

use quote::{ToTokens, quote};
use syn::ext::IdentExt as _;
use syn::{GenericParam, PatType, ReceiverKind, ReturnType, Safety, TraitItem, Type};

use crate::attrs::is_cfg;
use crate::errors::Errors;
use crate::model::{Arg, Method, Service, plain_name};
use crate::names;
use crate::shape::{self, Parts};

pub(crate) fn check(service: &Service, errors: &mut Errors) {
    plain_trait(service, errors);
    only_methods(service, errors);
    one_method_per_route(service, errors);
    for method in &service.methods {
        free_name(service, method, errors);
        plain_function(method, errors);
        concrete(method, errors);
        shared_receiver(method, errors);
        for (index, arg) in method.args.iter().enumerate() {
            named(method, arg, errors);
            one_argument_per_key(&method.args[..index], arg, errors);
            always_there(&arg.item, errors);
            sendable(arg, errors);
        }
        result(method, errors);
    }
}

fn plain_trait(service: &Service, errors: &mut Errors) {
    let item = &service.item;
    if !item.generics.params.is_empty() || item.generics.where_clause.is_some() {
        let generics = (&item.generics, &item.generics.where_clause);
        errors.at(
            quote_pair(generics.0, generics.1),
            "a service trait takes no generic parameters and no `where`: its routes are for one set of types",
        );
    }
    if let Some(token) = &item.unsafety {
        errors.at(token, "a service trait is safe: remove `unsafe`");
    }
    if let Some(token) = &item.modifiers.auto_token {
        errors.at(token, "a service trait has methods: remove `auto`");
    }
}

fn quote_pair(first: impl ToTokens, second: impl ToTokens) -> proc_macro2::TokenStream {
    quote!(#first #second)
}

fn only_methods(service: &Service, errors: &mut Errors) {
    for item in &service.item.items {
        let what = match item {
            TraitItem::Fn(_) => continue,
            TraitItem::Type(_) => "an associated type",
            TraitItem::Const(_) => "an associated constant",
            TraitItem::Macro(_) => "a macro call",
            _ => "this item",
        };
        errors.at(item, format!("a service trait has methods only: move {what} out of it"));
    }
}

/// Methods with `cfg` may share a route, because only one of them is there in the end.
fn one_method_per_route(service: &Service, errors: &mut Errors) {
    let mut first: HashMap<&str, &Method> = HashMap::new();
    for method in service.methods.iter().filter(|method| method.attrs.cfg.is_empty()) {
        if first.insert(&method.route, method).is_some() {
            errors.at(
                method.ident(),
                format!("the route `{}` is taken: name this method otherwise", method.route),
            );
        }
    }
}

/// The client has some methods of its own, and a `throw_x` for each `x`.
fn free_name(service: &Service, method: &Method, errors: &mut Errors) {
    let name = method.ident().unraw().to_string();
    if name == names::INTO_ROUTES || names::CLIENT_OWN.contains(&name.as_str()) {
        let owner = if name == names::INTO_ROUTES { "trait" } else { "client" };
        errors.at(
            method.ident(),
            format!("`{name}` is what the {owner} gets from this macro: name the method otherwise"),
        );
    }
    let thrown = name.strip_prefix("throw_");
    if let Some(other) = thrown.filter(|other| service.methods.iter().any(|method| method.route == **other)) {
        errors.at(
            method.ident(),
            format!("the client's `{name}` is the throw of `{other}`: name this method otherwise"),
        );
    }
}

fn plain_function(method: &Method, errors: &mut Errors) {
    let sig = &method.item.sig;
    let mut refuse = |token: &dyn ToTokens| {
        let word = token.to_token_stream();
        errors.at(&word, format!("a service method is an `async fn` or a plain `fn`: remove `{word}`"));
    };
    if let Some(token) = &method.item.modifiers.defaultness {
        refuse(token);
    }
    if let Some(token) = &sig.constness {
        refuse(token);
    }
    match &sig.safety {
        Safety::Unsafe(token) => refuse(token),
        Safety::Safe(token) => refuse(token),
        Safety::Default => {}
    }
    if let Some(abi) = &sig.abi {
        refuse(abi);
    }
    if let Some(variadic) = &sig.variadic {
        errors
            .at(variadic, "a service method has a fixed number of arguments: take a `Vec` instead of `...`");
    }
}

fn concrete(method: &Method, errors: &mut Errors) {
    let generics = &method.item.sig.generics;
    for parameter in &generics.params {
        match parameter {
            GenericParam::Lifetime(_) => {}
            other => errors.at(
                other,
                "a service method is not generic: the peer has to know the types, so name concrete ones",
            ),
        }
    }
    if let Some(clause) = &generics.where_clause {
        errors.at(clause, "a service method takes no `where`: its types are concrete");
    }
}

fn shared_receiver(method: &Method, errors: &mut Errors) {
    let Some(receiver) = method.receiver() else {
        let sentence = "a service method begins with `&self`: it is called on the value that serves";
        return errors.at(method.ident(), sentence);
    };
    match &receiver.kind {
        ReceiverKind::Reference(_, _, None) => {}
        ReceiverKind::Reference(_, _, Some(_)) => {
            errors.at(receiver, "calls run side by side: take `&self`, and keep what changes behind a lock");
        }
        _ => errors.at(receiver, "the value serves more than one call: take `&self`"),
    }
}

fn named(method: &Method, arg: &Arg, errors: &mut Errors) {
    let has_name = match plain_name(&arg.item.pat) {
        Some((_, mutable)) => !mutable || method.item.default.is_some(),
        None => false,
    };
    if !has_name {
        errors.at(&arg.item.pat, "an argument is a plain `name: Type`: the name is its key on the wire");
    }
}

fn one_argument_per_key(before: &[Arg], arg: &Arg, errors: &mut Errors) {
    let Some((name, _)) = plain_name(&arg.item.pat) else { return };
    if before.iter().any(|other| other.ident.unraw() == name.unraw()) {
        errors.at(&name, format!("the argument `{name}` is there already: each name is a key on the wire"));
    }
}

fn always_there(arg: &PatType, errors: &mut Errors) {
    for attr in arg.attrs.iter().filter(|attr| is_cfg(attr)) {
        errors.at(
            attr,
            "an argument cannot depend on `cfg`, because the peer may be built otherwise: use an `Option`",
        );
    }
}

/// An argument is sent by value or lent as a whole; what is borrowed deeper would have no owner at the peer.
fn sendable(arg: &Arg, errors: &mut Errors) {
    let ty = shape::peel(arg.ty());
    let lent = match ty {
        Type::Reference(reference) => Some(reference),
        other => shape::optional_reference(other),
    };
    let inner = lent.map_or(ty, |reference| &reference.elem);
    if let Some(reference) = lent {
        if reference.mutability.is_some() {
            errors.at(
                reference,
                "the peer gets a copy, which it cannot change for the caller: take `&T` or `T`",
            );
        }
        if let Some(lifetime) = reference.lifetime.as_ref().filter(|lifetime| lifetime.ident == "static") {
            errors.at(lifetime, "the peer cannot lend an argument for `'static`: leave the lifetime out");
        }
    }
    let parts = Parts::of(inner);
    for reference in &parts.references {
        let sentence =
            "only a whole argument is borrowed, as `&T`, `&[T]`, `&str` or `Option<&T>`: own what is inside";
        errors.at(reference, sentence);
    }
    unsendable(&parts, "an argument", errors);
}

fn result(method: &Method, errors: &mut Errors) {
    let ReturnType::Type(_, ty) = &method.item.sig.output else { return };
    if shape::is_future(ty) {
        return errors.at(ty, "a method that waits is an `async fn`: write that and return the value itself");
    }
    let parts = Parts::of(ty);
    for reference in &parts.references {
        errors.at(
            reference,
            "a result is owned, because the caller is elsewhere: return `String`, `Vec<T>` or `T`",
        );
    }
    for lifetime in &parts.lifetimes {
        errors.at(
            lifetime,
            "a result is owned, because the caller is elsewhere: it has no lifetime but `'static`",
        );
    }
    unsendable(&parts, "a result", errors);
}

fn unsendable(parts: &Parts, what: &str, errors: &mut Errors) {
    for ty in &parts.impl_traits {
        errors
            .at(ty, format!("{what} has one concrete type, which the peer loads: name it instead of `impl`"));
    }
    for ty in &parts.trait_objects {
        errors
            .at(ty, format!("{what} has one concrete type, which the peer loads: name it instead of `dyn`"));
    }
    for path in &parts.self_types {
        errors.at(
            path,
            format!("{what} cannot be of type `Self`, which the peer does not have: name a concrete type"),
        );
    }
}
