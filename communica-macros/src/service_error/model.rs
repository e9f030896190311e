//! A parsed enum or struct becomes a list of shapes that an error can have.

use proc_macro2::Ident;
use quote::ToTokens as _;
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Data, DeriveInput, Fields, LitInt, Member, Meta, Path, Token, Type, parse_quote};

use crate::args::{Grammar, read_settings};
use crate::attrs::Attrs;
use crate::errors::Errors;

/// What every shape has.
const ON_A_SHAPE: &[&str] = &["code", "responder", "unknown"];
/// Where settings belong that stand in the wrong place.
const PLACES: &[(&str, &str)] =
    &[("code", "a variant"), ("responder", "a variant"), ("unknown", "a variant"), ("crate", "the type")];

/// One error type.
pub(super) struct ErrorType<'a> {
    pub(super) krate: Path,
    pub(super) input: &'a DeriveInput,
    /// What the user allows in all of it.
    pub(super) allow: Vec<Attribute>,
    /// The variants of an enum, or the struct itself.
    pub(super) variants: Vec<Variant<'a>>,
}

/// One shape of the error.
pub(super) struct Variant<'a> {
    /// The variant's name; a struct is a variant of its own name.
    pub(super) ident: &'a Ident,
    /// `Self` or `Self::Variant`.
    pub(super) path: Path,
    pub(super) fields: &'a Fields,
    /// What the user allows there.
    pub(super) allow: Vec<Attribute>,
    pub(super) settings: Settings,
}

/// What stands in `#[service_error(…)]`.
pub(super) struct Settings {
    krate: Path,
    pub(super) code: Option<i64>,
    /// The responder's fault; the requester's without it.
    pub(super) responder: bool,
    /// Neither: the caller gets the message alone.
    pub(super) unknown: bool,
    /// What was set, where.
    pub(super) keys: Vec<Ident>,
}

impl<'a> ErrorType<'a> {
    pub(super) fn of(input: &'a DeriveInput, errors: &mut Errors) -> Self {
        let on_type = match &input.data {
            Data::Struct(_) => &["code", "responder", "unknown", "crate"][..],
            Data::Enum(_) | Data::Union(_) => &["crate"],
        };
        let settings = Settings::read(&input.attrs, on_type, errors);
        let krate = settings.krate.clone();
        let variants = match &input.data {
            Data::Struct(data) => {
                vec![Variant {
                    ident: &input.ident,
                    path: parse_quote!(Self),
                    fields: &data.fields,
                    allow: Vec::new(),
                    settings,
                }]
            }
            Data::Enum(data) => data.variants.iter().map(|variant| Variant::of(variant, errors)).collect(),
            Data::Union(_) => Vec::new(),
        };
        Self { krate, input, allow: Attrs::sort(&input.attrs).allow, variants }
    }
}

impl<'a> Variant<'a> {
    fn of(variant: &'a syn::Variant, errors: &mut Errors) -> Self {
        let ident = &variant.ident;
        Self {
            ident,
            path: parse_quote!(Self::#ident),
            fields: &variant.fields,
            allow: Attrs::sort(&variant.attrs).allow,
            settings: Settings::read(&variant.attrs, ON_A_SHAPE, errors),
        }
    }

    /// The name on the wire.
    pub(super) fn name(&self) -> String {
        self.ident.unraw().to_string()
    }

    /// Whether it comes back as what it was: its fields travel then.
    pub(super) fn travels(&self) -> bool {
        !self.settings.unknown
    }

    pub(super) fn members(&self) -> Vec<Member> {
        self.fields.members().collect()
    }

    pub(super) fn types(&self) -> Vec<&'a Type> {
        self.fields.iter().map(|field| &field.ty).collect()
    }

    /// Whether the fields travel as an object; the others as an array.
    pub(super) fn is_named(&self) -> bool {
        matches!(self.fields, Fields::Named(_))
    }
}

impl Settings {
    fn read(attrs: &[Attribute], known: &[&str], errors: &mut Errors) -> Self {
        let mut settings = Self {
            krate: parse_quote!(::communica),
            code: None,
            responder: false,
            unknown: false,
            keys: Vec::new(),
        };
        for attr in attrs.iter().filter(|attr| attr.path().is_ident("service_error")) {
            let Meta::List(list) = &attr.meta else {
                errors.at(attr, "`service_error` takes a list, as in `#[service_error(code = 400)]`");
                continue;
            };
            let grammar = Grammar { attribute: "service_error", known, repeated: &[], elsewhere: PLACES };
            read_settings(grammar, list.tokens.to_token_stream(), errors, |setting| {
                let key = setting.key.to_string();
                settings.keys.push(setting.key.clone());
                match key.as_str() {
                    _ if !known.contains(&key.as_str()) => return Ok(false),
                    "crate" => settings.krate = setting.value("a path, as in `crate = ::communica`")?,
                    "code" => {
                        settings.code = Some(setting.value::<Code>("an integer, as in `code = 400`")?.0)
                    }
                    "unknown" => settings.unknown = true,
                    _ => settings.responder = true,
                }
                Ok(true)
            });
        }
        settings
    }
}

/// An integer of 64 bits, with its sign.
struct Code(i64);

impl Parse for Code {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let sign = if input.parse::<Option<Token![-]>>()?.is_some() { "-" } else { "" };
        let digits: LitInt = input.parse()?;
        let number = format!("{sign}{}", digits.base10_digits());
        number.parse().map(Self).map_err(|error| syn::Error::new(digits.span(), error))
    }
}
