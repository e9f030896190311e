use std::rc::Rc;

#[communica::service]
pub trait Desk {
    async fn wait(&self);
    async fn wait_by_default(&self) {
        let text = Rc::new(1);
        std::future::ready(()).await;
        drop(text);
    }
}

impl Desk for () {
    async fn wait(&self) {
        let text = Rc::new(1);
        std::future::ready(()).await;
        drop(text);
    }
}

fn main() {}
