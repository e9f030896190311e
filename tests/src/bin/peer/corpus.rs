//! Values that must come back as they went out, with the types that Rust gives them.

use std::collections::BTreeMap;
use std::fmt::Debug;

use communica::Error;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::side::Side;

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
struct Nested {
    name: String,
    inside: Option<Box<Nested>>,
    beside: Vec<Nested>,
    table: BTreeMap<String, (i8, f64)>,
}

struct Echo<'s> {
    side: &'s Side,
    differences: Vec<String>,
}

impl Echo<'_> {
    /// Compares what can be seen of both, which tells 0.0 from -0.0.
    async fn check<T: Debug + DeserializeOwned + Send + Serialize + Sync>(
        &mut self,
        sent: T,
    ) -> Result<(), Error> {
        let received: T = self.side.request("echo", &sent).await?;
        let (sent, received) = (format!("{sent:?}"), format!("{received:?}"));
        if sent != received {
            self.differences.push(format!("sent {sent}, received {received}"));
        }
        Ok(())
    }
}

/// What came back changed, in words.
pub(crate) async fn differences(side: &Side) -> Result<Vec<String>, Error> {
    let mut echo = Echo { side, differences: Vec::new() };
    for number in [i64::MIN, -1, 0, 1, (1 << 53) + 1, i64::MAX] {
        echo.check(number).await?;
    }
    for number in [u64::MAX, 1 << 63, (1 << 63) - 1, u64::from(u32::MAX) + 1] {
        echo.check(number).await?;
    }
    let floats =
        [0.0, -0.0, 1.0, 0.1, 1.0 / 3.0, 189.34415275559326, 6.934698245112694e276, 1e16, 123456789.12345679];
    for number in floats.into_iter().chain([f64::MIN, f64::MAX, f64::MIN_POSITIVE, 5e-324]) {
        echo.check(number).await?;
    }
    for text in
        ["", "Привет, 世界", "🦀🐍 👩\u{200d}👩\u{200d}👧 e\u{301}", "tab\t \" \\ zero\0 \u{7f} \u{2028}"]
    {
        echo.check(text.to_owned()).await?;
    }
    for flag in [true, false] {
        echo.check(flag).await?;
        echo.check(flag.then(|| "some".to_owned())).await?;
    }
    echo.check(()).await?;
    echo.check(vec![vec![vec![Vec::<u8>::new()]]]).await?;
    echo.check((-200..70_000).step_by(77).collect::<Vec<i32>>()).await?;
    echo.check(json!([null, [true, "x"], {"a": [1, 2.5]}, {"": 0, "ключ": {"🔑": [null]}, "a b": -1.5}]))
        .await?;
    let leaf = Nested { table: [("ключ".to_owned(), (-128, 2.5))].into(), ..Nested::default() };
    let tree = Nested {
        name: "tree".to_owned(),
        inside: Some(leaf.clone().into()),
        beside: vec![leaf; 3],
        ..Nested::default()
    };
    echo.check(tree).await?;
    Ok(echo.differences)
}
