//! Attributes go where they mean something, and to nothing else.
#![deny(warnings)]
#![allow(missing_docs)]
#![warn(clippy::all, clippy::pedantic)]

mod api {
    #[communica::service]
    pub(crate) trait Desk {
        #[deprecated = "use `add`"]
        async fn plus(&self, a: u8, b: u8) -> u8 {
            a + b
        }
        #[expect(non_snake_case)]
        async fn Add(&self, a: u8, b: u8) -> u8;
        #[must_use]
        #[inline]
        fn quick(&self) -> u8 {
            1
        }
        #[cfg_attr(all(), deprecated, doc = "Old.")]
        async fn old(&self, #[allow(unused_variables)] a: u8) {}
    }

    #[communica::service]
    #[deprecated]
    #[allow(non_camel_case_types)]
    pub(crate) trait old_desk {
        async fn plus(&self, a: u8, b: u8) -> u8;
    }

    #[communica::service]
    pub(crate) trait inner_desk {
        //! Attributes may stand inside of what they are for.
        #![allow(non_camel_case_types, non_snake_case)]
        async fn Plus(&self, a: u8, b: u8) -> u8;
        async fn one(&self, a: u8) -> u8 {
            //! Always the same.
            #![allow(unused_variables)]
            1
        }
        fn quick(&self, a: u8) -> u8 {
            #![expect(unused_variables)]
            1
        }
        fn dated(&self) -> u8 {
            #![deprecated]
            #![route(name = "old")]
            1
        }
        async fn gone(&self, a: Missing) -> u8 {
            #![cfg(any())]
            1
        }
    }
}

use api::Desk;

impl Desk for () {
    #[allow(non_snake_case)]
    async fn Add(&self, a: u8, b: u8) -> u8 {
        a + b
    }
}

async fn uses(desk: api::DeskClient) {
    #[expect(deprecated)]
    desk.plus(1, 2).await.unwrap();
    #[expect(deprecated)]
    desk.throw_plus(1, 2).await.unwrap();
    #[expect(deprecated)]
    desk.old(1).await.unwrap();
    desk.Add(1, 2).await.unwrap();
}

async fn uses_inner(desk: api::inner_deskClient) {
    desk.Plus(1, 2).await.unwrap();
    desk.one(1).await.unwrap();
    #[expect(deprecated)]
    desk.dated().await.unwrap();
}

fn main() {
    let _ = (().into_routes(), uses, uses_inner);
}
