//! Arguments with the names of variables and keywords.

use crate::made::renamed;
use crate::served;

#[allow(clippy::too_many_arguments)]
mod words {
    use communica::Context;

    /// Arguments named as the variables of generated code, and as keywords.
    #[communica::service]
    pub(crate) trait Words {
        async fn all(
            &self,
            payload: u8,
            service: u8,
            args: u8,
            self_: u8,
            caller: u8,
            options: u8,
            wanted: u8,
            cx: u8,
        ) -> u8;
        async fn more(
            &self,
            table: u8,
            fault: u8,
            text: &str,
            data: Option<&str>,
            message: &u8,
            value: &[u8],
        ) -> u8;
        async fn one(&self, service: &str) -> usize;
        #[route(named, idempotent)]
        async fn routed(&self, serializer: &Context, options: u8, payload: u8, args: u8, context: u8) -> u8;
        #[route(alias = "r#loop")]
        async fn r#loop(&self, context: &Context, r#for: u8) -> u8;
        #[route(blocking, serializer = communica::MsgPackSerializer)]
        fn blocks(&self, handler: &Context, text: Option<&str>, error: &[u8], value: &u8) -> u8;
        async fn r#async(&self, r#type: u8, r#self_: u8) -> u8;
        async fn r#move(&self, r#match: &str) -> Result<u8, crate::made::renamed::Worse>;
        async fn kept(&self, service: u8, result: u8, _hidden: u8) -> u8 {
            service + result
        }
    }

    pub(crate) struct Host;
    impl Words for Host {
        async fn all(
            &self,
            payload: u8,
            service: u8,
            args: u8,
            self_: u8,
            caller: u8,
            options: u8,
            wanted: u8,
            cx: u8,
        ) -> u8 {
            payload + service + args + self_ + caller + options + wanted + cx
        }
        async fn more(
            &self,
            table: u8,
            fault: u8,
            text: &str,
            data: Option<&str>,
            message: &u8,
            value: &[u8],
        ) -> u8 {
            table + fault + text.len() as u8 + data.map_or(0, str::len) as u8 + message + value[0]
        }
        async fn one(&self, service: &str) -> usize {
            service.len()
        }
        async fn routed(&self, serializer: &Context, options: u8, payload: u8, args: u8, context: u8) -> u8 {
            serializer.client_id().len() as u8 + options + payload + args + context
        }
        async fn r#loop(&self, context: &Context, r#for: u8) -> u8 {
            context.client_id().len() as u8 + r#for
        }
        fn blocks(&self, handler: &Context, text: Option<&str>, error: &[u8], value: &u8) -> u8 {
            (handler.client_id().len() + text.map_or(0, str::len) + error.len()) as u8 + value
        }
        async fn r#async(&self, r#type: u8, self_: u8) -> u8 {
            r#type + self_
        }
        async fn r#move(&self, r#match: &str) -> Result<u8, crate::made::renamed::Worse> {
            Err(crate::made::renamed::Worse { r#type: r#match.len() as u8 })
        }
    }
}

#[test]
fn arguments_may_have_any_name() {
    use words::Words as _;
    served("variables", words::Host.into_routes(), |client| async {
        let words = words::WordsClient::new(client);
        assert_eq!(words.all(1, 2, 3, 4, 5, 6, 7, 8).await.unwrap(), 36);
        assert_eq!(words.more(1, 2, "abc", Some("abcd"), &5, &[6]).await.unwrap(), 21);
        assert_eq!(words.one("abc").await.unwrap(), 3);
        assert_eq!(words.routed(1, 2, 3, 4).await.unwrap(), 13);
        assert_eq!(words.r#loop(2).await.unwrap(), 5);
        assert_eq!(words.blocks(Some("ab"), &[1], &2).await.unwrap(), 8);
        assert_eq!(words.r#async(1, 2).await.unwrap(), 3);
        assert_eq!(words.kept(4, 5, 6).await.unwrap(), 9);
        words.throw_async(1, 2).await.unwrap();
        let error = words.r#move("abc").await.unwrap_err();
        assert!(matches!(error, communica::CallError::Service(renamed::Worse { r#type: 3 })));
    });
}
