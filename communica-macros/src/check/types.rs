//! Rules for types: what can cross to another process.

use syn::{ReturnType, Type};

use crate::errors::Errors;
use crate::model::{Arg, Method};
use crate::shape::{self, Output, Parts};

pub(super) fn check(method: &Method, errors: &mut Errors) {
    for arg in &method.args {
        if shape::is_like_context(arg.ty()) {
            misplaced_context(arg, errors);
        } else {
            sendable(arg, errors);
        }
    }
    result(method, errors);
}

/// Whoever asks for the context in another way means this one, most of the time.
fn misplaced_context(arg: &Arg, errors: &mut Errors) {
    errors.at(
        arg.ty(),
        "the context of a call is lent, and comes first: write `cx: &Context` after `&self`, or send your own type by another name",
    );
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
    match &method.output {
        Output::Value(ty) | Output::Alias(ty) => owned(ty, errors),
        Output::Result(ok, error) => {
            owned(ok, errors);
            told_apart(error, errors);
        }
    }
}

/// What the caller gets.
fn owned(ty: &Type, errors: &mut Errors) {
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

/// Other types that are no errors of a service only the compiler knows.
fn told_apart(error: &Type, errors: &mut Errors) {
    if !shape::tells_nothing_apart(error) {
        return owned(error, errors);
    }
    errors.at(
        error,
        "a caller cannot tell such errors apart: derive `communica::ServiceError` on an enum, or return \
         `communica::AnyError`, which `?` and `.into()` make of any error and of text",
    );
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
