//! The trait for `Arc<T>`: one value can offer several services, and stay in the program's hands.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Lifetime, ReceiverKind};

use super::server::future_of;
use crate::model::{Arg, Method, Service};
use crate::shape::Lent;

pub(super) fn shared_implementation(service: &Service) -> TokenStream {
    let ident = &service.item.ident;
    let (cfg, lint, supertraits) = (&service.attrs.cfg, &service.attrs.lint, &service.item.supertraits);
    let supertraits = (!supertraits.is_empty()).then(|| quote!(Self: #supertraits,));
    let methods = service.methods.iter().map(|method| forward(service, method));
    quote! {
        #(#cfg)*
        #(#lint)*
        #[automatically_derived]
        #[allow(deprecated, clippy::all, clippy::pedantic)]
        impl<__CommunicaT> #ident for ::std::sync::Arc<__CommunicaT>
        where
            __CommunicaT: #ident + ::core::marker::Send + ::core::marker::Sync + ?::core::marker::Sized,
            #supertraits
        {
            #(#methods)*
        }
    }
}

fn forward(service: &Service, method: &Method) -> TokenStream {
    let (item, ident, sig) = (&service.item.ident, method.ident(), &method.item.sig);
    let (cfg, generics, output) = (&method.attrs.cfg, &sig.generics, &sig.output);
    let output = if method.is_async() { future_of(sig) } else { output.clone() };
    let lifetime = receiver_lifetime(method);
    let declared = method.args.iter().map(declared);
    let passed = method.args.iter().map(|arg| &arg.ident);
    quote! {
        #(#cfg)*
        fn #ident #generics (&#lifetime self, #(#declared),*) #output {
            <__CommunicaT as #item>::#ident(&**self, #(#passed),*)
        }
    }
}

/// `'a` in `&'a self`.
pub(super) fn receiver_lifetime(method: &Method) -> Option<&Lifetime> {
    match &method.receiver()?.kind {
        ReceiverKind::Reference(_, lifetime, _) => lifetime.as_ref(),
        _ => None,
    }
}

/// `name: Type`, as a parameter.
pub(super) fn declared(arg: &Arg) -> TokenStream {
    let (ident, ty) = (&arg.ident, arg.ty());
    quote!(#ident: #ty)
}

/// What is lent across threads has to be `Sync` too.
pub(super) fn sync_if_lent(arg: &Arg) -> Option<TokenStream> {
    match &arg.passing.lent {
        Lent::Slice(_) | Lent::Whole(_) => Some(quote!(+ ::core::marker::Sync)),
        Lent::Nothing(_) | Lent::Str => None,
    }
}
