//! An error type goes in; every mistake in it comes out, each at its place.

use syn::{Data, GenericParam, Ident};

use super::model::{ErrorType, Variant};
use crate::errors::Errors;
use crate::shape::Parts;

/// serde knows tuples up to this length.
const LONGEST_TUPLE: usize = 16;

pub(super) fn check(model: &ErrorType<'_>, errors: &mut Errors) {
    if let Data::Union(data) = &model.input.data {
        errors.at(
            data.union_token,
            "a service error is an enum or a struct: a union does not know what it holds",
        );
    }
    for parameter in &model.input.generics.params {
        if let GenericParam::Lifetime(lifetime) = parameter {
            errors
                .at(lifetime, "a service error is owned, because it leaves the process: it has no lifetimes");
        }
    }
    for variant in &model.variants {
        if variant.travels() {
            fields(variant, errors);
        } else {
            blameless(variant, errors);
        }
        settings_on_fields(variant, errors);
    }
}

/// Who does not know what failed knows no code for it, and nobody to blame.
fn blameless(variant: &Variant<'_>, errors: &mut Errors) {
    let blame = |key: &&Ident| *key == "code" || *key == "responder";
    for key in variant.settings.keys.iter().filter(blame) {
        errors.at(
            key,
            format!("an `unknown` error has a message and nothing else: remove `{key}` or `unknown`"),
        );
    }
}

fn fields(variant: &Variant<'_>, errors: &mut Errors) {
    if !variant.is_named() && variant.fields.len() > LONGEST_TUPLE {
        errors.at(
            variant.ident,
            format!("more than {LONGEST_TUPLE} fields need names: write `{{ name: Type, … }}`"),
        );
    }
    for ty in variant.types() {
        let parts = Parts::of(ty);
        for reference in &parts.references {
            errors.at(
                reference,
                "a field is owned, because it leaves the process: hold `String`, `Vec<T>` or `T`",
            );
        }
        for object in &parts.trait_objects {
            errors
                .at(object, "a field has one concrete type, which the peer loads: name it instead of `dyn`");
        }
    }
}

fn settings_on_fields(variant: &Variant<'_>, errors: &mut Errors) {
    for attr in variant.fields.iter().flat_map(|field| &field.attrs) {
        if attr.path().is_ident("service_error") {
            errors.at(
                attr,
                "`service_error` stands on a variant or a struct: an error has one code, its fields none",
            );
        }
    }
}
