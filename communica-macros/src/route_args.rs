//! `#[route(…)]` on a method is taken off it and becomes what it says.

use proc_macro2::Ident;
use quote::ToTokens as _;
use syn::{Attribute, Expr, LitStr, Meta};

use crate::args::{Grammar, read_settings, serializer};
use crate::attrs::means;
use crate::errors::Errors;

/// The attribute's name.
const ROUTE: &str = "route";
/// Settings that are often written as attributes of their own; no other attributes have these names.
const BARE: &[(&str, &str)] =
    &[("alias", " = \"…\""), ("serializer", " = …"), ("idempotent", ""), ("blocking", "")];

/// What stands in `#[route(…)]`.
#[derive(Clone, Default)]
pub(crate) struct RouteArgs {
    /// The name on the wire, after the service's prefix.
    pub(crate) name: Option<LitStr>,
    /// Whole routes under which the method is found too.
    pub(crate) aliases: Vec<LitStr>,
    /// The format, if not that of the service.
    pub(crate) serializer: Option<Expr>,
    /// An object, also for one argument.
    pub(crate) named: bool,
    /// Running it twice for one call does no harm.
    pub(crate) idempotent: bool,
    /// Runs on the blocking pool; where that is said.
    pub(crate) blocking: Option<Ident>,
}

impl RouteArgs {
    const GRAMMAR: Grammar<'_> = Grammar {
        attribute: ROUTE,
        known: &["name", "alias", "serializer", "named", "idempotent", "blocking"],
        repeated: &["alias"],
        elsewhere: &[],
    };

    /// Leaves the method's other attributes.
    pub(crate) fn take(attrs: &mut Vec<Attribute>, errors: &mut Errors) -> Self {
        let mut args = Self::default();
        let mut seen = false;
        attrs.retain(|attr| {
            if let Some((name, value)) = BARE.iter().find(|(name, _)| attr.path().is_ident(name)) {
                errors
                    .at(attr, format!("`{name}` is a setting of the route: write `#[route({name}{value})]`"));
                return false;
            }
            if !means(attr, ROUTE) {
                return true;
            }
            if seen {
                errors.at(attr, "a method has one `#[route(…)]`: put all settings in it");
            }
            seen = true;
            args.read(attr, errors);
            false
        });
        args
    }

    /// For what has no route.
    pub(crate) fn refuse(attrs: &mut Vec<Attribute>, errors: &mut Errors) {
        attrs.retain(|attr| {
            let here = means(attr, ROUTE);
            if here {
                errors.at(attr, "`route` stands on a method of the trait: nothing else has a route");
            }
            !here
        });
    }

    fn read(&mut self, attr: &Attribute, errors: &mut Errors) {
        let list = match &attr.meta {
            Meta::List(list) if list.path.is_ident(ROUTE) => list.tokens.to_token_stream(),
            meta if meta.path().is_ident(ROUTE) => {
                return errors.at(attr, "`route` takes a list of settings, as in `#[route(name = \"add\")]`");
            }
            _ => {
                let sentence = "a route cannot depend on `cfg`, because the peer may be built otherwise";
                return errors.at(attr, sentence);
            }
        };
        read_settings(Self::GRAMMAR, list, errors, |setting| {
            match setting.key.to_string().as_str() {
                "name" => self.name = Some(setting.value("a string, as in `name = \"add\"`")?),
                "alias" => self.aliases.push(setting.value("a string, as in `alias = \"plus\"`")?),
                "serializer" => self.serializer = Some(serializer(setting)?),
                "named" => self.named = true,
                "idempotent" => self.idempotent = true,
                "blocking" => self.blocking = Some(setting.key.clone()),
                _ => return Ok(false),
            }
            Ok(true)
        });
    }
}
