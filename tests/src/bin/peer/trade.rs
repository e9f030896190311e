//! Structs of the shape that the dataclasses in tests/python/trade.py have.

use std::collections::BTreeMap;

use communica::Error;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::side::Side;

#[derive(Deserialize, Serialize)]
pub(crate) struct Order {
    number: u32,
    express: bool,
    items: Vec<Item>,
    remark: Option<String>,
}

#[derive(Deserialize, Serialize)]
struct Item {
    name: String,
    price: f64,
    tags: Vec<String>,
}

#[derive(Deserialize, Serialize)]
pub(crate) struct Receipt {
    number: u32,
    total: f64,
    lines: BTreeMap<String, f64>,
    remark: Option<String>,
}

pub(crate) fn trade(order: Order) -> Receipt {
    let lines: BTreeMap<_, _> = order.items.into_iter().map(|item| (item.name, item.price)).collect();
    Receipt { number: order.number, total: lines.values().sum(), lines, remark: order.remark }
}

/// Sends an order, and gives the receipt back as plain data.
pub(crate) async fn buy(side: &Side) -> Result<Value, Error> {
    let item = |name: &str, price, tags: &[&str]| Item {
        name: name.to_owned(),
        price,
        tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
    };
    let items = vec![item("сыр 🧀", 2.5, &[]), item("bread", 1.25, &["dark", "fresh"])];
    let receipt: Receipt =
        side.request("trade", &Order { number: 7, express: true, items, remark: None }).await?;
    Ok(json!(receipt))
}
