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
        #[allow(non_snake_case)]
        async fn put(&self, userId: u64, deskId: &str) -> u64;
        #[expect(non_snake_case)]
        async fn take(&self, userId: Option<u64>) -> u64;
        #[cfg_attr(all(), allow(non_snake_case))]
        #[route(named)]
        fn look(&self, userId: u64) -> u64;
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
        async fn Put(&self, userId: u8, b: u8) -> u8;
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
    async fn put(&self, user_id: u64, _: &str) -> u64 {
        user_id
    }
    async fn take(&self, user_id: Option<u64>) -> u64 {
        user_id.unwrap_or_default()
    }
    fn look(&self, user_id: u64) -> u64 {
        user_id
    }
}

/// Its fields' names are keys on the wire, too.
#[derive(Debug, thiserror::Error, communica::ServiceError)]
enum DeskError {
    #[allow(non_snake_case)]
    #[error("no such user")]
    NoUser { userId: u64 },
    #[expect(non_snake_case)]
    #[error("no such desk")]
    NoDesk { deskId: u64 },
}

#[derive(Debug, thiserror::Error, communica::ServiceError)]
#[allow(non_snake_case)]
#[error("no such user")]
struct NoUser {
    userId: u64,
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
    let _ = (DeskError::NoUser { userId: 1 }, DeskError::NoDesk { deskId: 1 }, NoUser { userId: 1 });
}
