//! The trait for `Arc<T>`: one value can offer several services, and stay in the program's hands.

use proc_macro2::TokenStream;
use quote::quote;

use super::parts::{declared, receiver_lifetime};
use super::server::future_of;
use crate::model::{Method, Service};

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
    let (cfg, allow) = (&method.attrs.cfg, &method.attrs.allow);
    let (generics, output) = (&sig.generics, &sig.output);
    let output = if method.is_async() { future_of(sig) } else { output.clone() };
    let lifetime = receiver_lifetime(method);
    let parameters = method.declared().map(declared);
    let passed = method.declared().map(|arg| &arg.ident);
    quote! {
        #(#cfg)*
        #(#allow)*
        fn #ident #generics (&#lifetime self, #(#parameters),*) #output {
            <__CommunicaT as #item>::#ident(&**self, #(#passed),*)
        }
    }
}
