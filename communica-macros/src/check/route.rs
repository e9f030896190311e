//! Rules for names on the wire and for `#[route(…)]`.

use std::collections::HashSet;

use quote::ToTokens;

use crate::errors::Errors;
use crate::model::{Method, Service};
use crate::names;

pub(super) fn check(service: &Service, errors: &mut Errors) {
    one_method_per_route(service, errors);
    for method in &service.methods {
        named_route(method, errors);
        plain_if_blocking(method, errors);
        one_value_of_bytes(method, errors);
    }
}

/// Methods with `cfg` may share a route, because only one of them is there in the end.
fn one_method_per_route(service: &Service, errors: &mut Errors) {
    let mut taken: HashSet<String> = HashSet::new();
    let mut take = |route: String, place: &dyn ToTokens, what: &str| {
        if !route.is_empty() && taken.contains(&route) {
            errors.at(place, format!("the route `{route}` is taken: name this {what} otherwise"));
        }
        taken.insert(route);
    };
    let always = || service.methods.iter().filter(|method| method.attrs.cfg.is_empty());
    for method in always() {
        match &method.settings.name {
            Some(name) => take(method.route.clone(), name, "route"),
            None => take(method.route.clone(), method.ident(), "method"),
        }
    }
    for alias in always().flat_map(|method| &method.settings.aliases) {
        take(alias.value(), alias, "alias");
    }
}

fn named_route(method: &Method, errors: &mut Errors) {
    for name in method.settings.name.iter().chain(&method.settings.aliases) {
        if name.value().is_empty() {
            errors.at(name, "a route has a name: give it at least one letter");
        }
    }
}

fn plain_if_blocking(method: &Method, errors: &mut Errors) {
    if let Some(blocking) = method.settings.blocking.as_ref().filter(|_| method.is_async()) {
        errors.at(
            blocking,
            "a method that blocks is a plain `fn`, while an `async fn` waits without a thread: remove one of both",
        );
    }
}

fn one_value_of_bytes(method: &Method, errors: &mut Errors) {
    let object = method.settings.named || method.args.len() > 1;
    if object && method.speaks(names::BYTES) {
        errors.at(
            method.ident(),
            "bytes as they are have no names in them: take one argument, or give this method another `serializer`",
        );
    }
}
