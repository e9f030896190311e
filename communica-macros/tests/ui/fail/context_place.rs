use communica::Context;

#[communica::service]
trait Desk {
    async fn owned(&self, cx: Context);
    async fn exclusive(&self, cx: &mut Context);
    async fn maybe(&self, cx: Option<&Context>);
    async fn last(&self, a: u8, cx: &Context);
    async fn twice(&self, cx: &Context, again: &Context);
    async fn pattern(&self, (cx): &Context);
}

fn main() {}
