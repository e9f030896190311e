//! Rules for a method: its name, its receiver, and the names of its arguments.

use quote::ToTokens;
use syn::ext::IdentExt as _;
use syn::{GenericParam, Pat, ReceiverKind, Safety};

use crate::attrs::is_cfg;
use crate::errors::Errors;
use crate::model::{Arg, Method, Service, plain_name};
use crate::names;

pub(super) fn check(service: &Service, method: &Method, errors: &mut Errors) {
    free_name(service, method, errors);
    plain_function(method, errors);
    concrete(method, errors);
    shared_receiver(method, errors);
    if let Some(arg) = &method.context {
        named_or_not(arg, errors);
        always_there(arg, errors);
    }
    for (index, arg) in method.args.iter().enumerate() {
        named(method, arg, errors);
        one_argument_per_key(&method.args[..index], arg, errors);
        always_there(arg, errors);
    }
}

/// The client has some methods of its own, and a `throw_x` for each `x`. Where one of these two has `cfg`, the other may
/// be alone in the end.
fn free_name(service: &Service, method: &Method, errors: &mut Errors) {
    let name = method.name();
    if name == names::INTO_ROUTES || names::CLIENT_OWN.contains(&name.as_str()) {
        let owner = if name == names::INTO_ROUTES { "trait" } else { "client" };
        errors.at(
            method.ident(),
            format!("`{name}` is what the {owner} gets from this macro: name the method otherwise"),
        );
    }
    let always = |method: &Method| method.attrs.cfg.is_empty();
    let thrown = name.strip_prefix("throw_").filter(|_| always(method));
    let is_there = |name: &str| service.methods.iter().any(|other| other.name() == name && always(other));
    if let Some(other) = thrown.filter(|other| is_there(other)) {
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
        ReceiverKind::Typed(..) => {
            errors.at(receiver, "a call borrows the value, and takes it in no other form: write `&self`");
        }
        _ => errors.at(receiver, "the value serves more than one call: take `&self`"),
    }
}

/// The context is not sent, so nothing depends on its name.
fn named_or_not(arg: &Arg, errors: &mut Errors) {
    if plain_name(&arg.item.pat).is_none() && !matches!(*arg.item.pat, Pat::Wild(_)) {
        errors.at(&arg.item.pat, "the context is a plain `cx: &Context`");
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

fn always_there(arg: &Arg, errors: &mut Errors) {
    for attr in arg.item.attrs.iter().filter(|attr| is_cfg(attr)) {
        errors.at(
            attr,
            "an argument cannot depend on `cfg`, because the peer may be built otherwise: use an `Option`",
        );
    }
}
