#[communica::service]
pub trait Desk {
    async fn text(&self) -> u8 {
        "one"
    }
    async fn early(&self, some: bool) -> u8 {
        if some {
            return "one";
        }
        1
    }
    async fn nothing(&self) -> u8 {
        self.text().await;
    }
    async fn something(&self) {
        self.text().await
    }
    async fn unknown(&self) -> Missing {
        todo!()
    }
    async fn tried(&self, text: &str) -> u8 {
        text.parse()?
    }
}

fn main() {}
