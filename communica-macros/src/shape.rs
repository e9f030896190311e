//! A user's type goes in; out comes how it is passed, and what in it cannot cross to another process.

use syn::visit_mut::{self, VisitMut};
use syn::{
    GenericArgument, Lifetime, PathArguments, PathSegment, ReturnType, Type, TypeImplTrait, TypeParamBound,
    TypePath, TypeReference, TypeTraitObject,
};

/// How an argument is lent on the calling side, and so what the responding side has to own.
pub(crate) enum Lent {
    /// `T`: moved.
    Nothing(Type),
    /// `&str`
    Str,
    /// `&[T]`
    Slice(Type),
    /// `&T`
    Whole(Type),
}

/// `&T` and the like, or the same in an `Option`.
pub(crate) struct Passing {
    pub(crate) optional: bool,
    pub(crate) lent: Lent,
}

impl Passing {
    pub(crate) fn of(ty: &Type) -> Self {
        if let Some(reference) = optional_reference(ty) {
            return Self { optional: true, lent: lent(&reference.elem) };
        }
        match peel(ty) {
            Type::Reference(reference) => Self { optional: false, lent: lent(&reference.elem) },
            owned => Self { optional: false, lent: Lent::Nothing(owned.clone()) },
        }
    }
}

fn lent(target: &Type) -> Lent {
    match peel(target) {
        Type::Path(path) if path.qself.is_none() && path.path.is_ident("str") => Lent::Str,
        Type::Slice(slice) => Lent::Slice((*slice.elem).clone()),
        whole => Lent::Whole(whole.clone()),
    }
}

/// The reference in `Option<&T>`.
pub(crate) fn optional_reference(ty: &Type) -> Option<&TypeReference> {
    match type_arguments(last_segment(ty)?, "Option")?.as_slice() {
        [inner] => match peel(inner) {
            Type::Reference(reference) => Some(reference),
            _ => None,
        },
        _ => None,
    }
}

/// `&Context`
pub(crate) fn is_context(ty: &Type) -> bool {
    match peel(ty) {
        Type::Reference(reference) => reference.mutability.is_none() && is_named_context(&reference.elem),
        _ => false,
    }
}

/// `T` in `&T`, without lifetimes of its own.
pub(crate) fn referred(ty: &Type) -> Type {
    match peel(ty) {
        Type::Reference(reference) => elided(&reference.elem),
        other => elided(other),
    }
}

/// `Context` in any form that could be meant as the context of a call.
pub(crate) fn is_like_context(ty: &Type) -> bool {
    match peel(ty) {
        Type::Reference(reference) => is_named_context(&reference.elem),
        other => {
            is_named_context(other)
                || optional_reference(other).is_some_and(|reference| is_named_context(&reference.elem))
        }
    }
}

fn is_named_context(ty: &Type) -> bool {
    last_segment(ty).is_some_and(|segment| segment.ident == "Context" && segment.arguments.is_empty())
}

/// What a method gives back, as far as its type's name tells.
#[allow(clippy::large_enum_variant)] // There is one for each method.
pub(crate) enum Output {
    /// Anything that is not named `Result`.
    Value(Type),
    /// `Result<T, E>`
    Result(Type, Type),
    /// `Result<T>` or `Result` of some alias, whose parts the compiler has to find.
    Alias(Type),
}

impl Output {
    pub(crate) fn of(output: &ReturnType) -> Self {
        let ty = match output {
            ReturnType::Default => return Self::Value(syn::parse_quote!(())),
            ReturnType::Type(_, ty) => peel(ty),
        };
        let Some(segment) = last_segment(ty).filter(|segment| segment.ident == "Result") else {
            return Self::Value(ty.clone());
        };
        match type_arguments(segment, "Result").as_deref() {
            Some([ok, error]) => Self::Result((*ok).clone(), (*error).clone()),
            _ => Self::Alias(ty.clone()),
        }
    }
}

/// `String`, `()`, `&str`, `Box<dyn Error>`: by what is written no type that says which error it was.
pub(crate) fn tells_nothing_apart(ty: &Type) -> bool {
    let named = match peel(ty) {
        Type::Tuple(tuple) => tuple.elems.is_empty(),
        Type::Path(path) => path.qself.is_none() && path.path.is_ident("String"),
        _ => false,
    };
    let Parts { references, impl_traits, trait_objects, .. } = Parts::of(ty);
    named || !references.is_empty() || !impl_traits.is_empty() || !trait_objects.is_empty()
}

/// Whether a type is a future by its name: `impl Future`, `BoxFuture`, `Pin<Box<dyn Future>>`.
pub(crate) fn is_future(ty: &Type) -> bool {
    let future_bound = |bound: &TypeParamBound| match bound {
        TypeParamBound::Trait(bound) => {
            bound.path.segments.last().is_some_and(|segment| segment.ident == "Future")
        }
        _ => false,
    };
    match peel(ty) {
        Type::ImplTrait(ty) => ty.bounds.iter().any(future_bound),
        Type::TraitObject(ty) => ty.bounds.iter().any(future_bound),
        other => last_segment(other).is_some_and(|segment| match segment.ident.to_string().as_str() {
            "BoxFuture" | "LocalBoxFuture" => true,
            name @ ("Pin" | "Box") => type_arguments(segment, name)
                .is_some_and(|inner| inner.first().is_some_and(|inner| is_future(inner))),
            _ => false,
        }),
    }
}

/// Without the parentheses and invisible groups around it.
pub(crate) fn peel(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => peel(&group.elem),
        Type::Paren(paren) => peel(&paren.elem),
        other => other,
    }
}

fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match peel(ty) {
        Type::Path(TypePath { qself: None, path, .. }) => path.segments.last(),
        _ => None,
    }
}

fn type_arguments<'a>(segment: &'a PathSegment, name: &str) -> Option<Vec<&'a Type>> {
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
    let types = arguments.args.iter().map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    });
    if segment.ident == name { types.collect() } else { None }
}

/// With every named lifetime left to the compiler, for a place where the names do not exist.
pub(crate) fn elided(ty: &Type) -> Type {
    struct Elide;
    impl VisitMut for Elide {
        fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
            if lifetime.ident != "static" {
                *lifetime = Lifetime::new("'_", lifetime.span());
            }
        }
    }
    let mut ty = ty.clone();
    Elide.visit_type_mut(&mut ty);
    ty
}

/// The parts of a type that rules speak about.
#[derive(Default)]
pub(crate) struct Parts {
    pub(crate) references: Vec<TypeReference>,
    pub(crate) lifetimes: Vec<Lifetime>,
    pub(crate) impl_traits: Vec<TypeImplTrait>,
    pub(crate) trait_objects: Vec<TypeTraitObject>,
    pub(crate) self_types: Vec<syn::Path>,
}

impl Parts {
    pub(crate) fn of(ty: &Type) -> Self {
        let mut parts = Self::default();
        parts.visit_type_mut(&mut ty.clone());
        parts
    }

    /// Whether every type in it is concrete.
    pub(crate) fn are_sendable(&self) -> bool {
        self.impl_traits.is_empty() && self.trait_objects.is_empty() && self.self_types.is_empty()
    }
}

/// What is found is not searched again: one mistake, one sentence.
impl VisitMut for Parts {
    fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
        self.references.push(reference.clone());
    }

    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if lifetime.ident != "static" {
            self.lifetimes.push(lifetime.clone());
        }
    }

    fn visit_type_impl_trait_mut(&mut self, ty: &mut TypeImplTrait) {
        self.impl_traits.push(ty.clone());
    }

    fn visit_type_trait_object_mut(&mut self, ty: &mut TypeTraitObject) {
        self.trait_objects.push(ty.clone());
    }

    fn visit_path_mut(&mut self, path: &mut syn::Path) {
        if path.segments.first().is_some_and(|first| first.ident == "Self") {
            self.self_types.push(path.clone());
        }
        visit_mut::visit_path_mut(self, path);
    }
}
