"""Dataclasses that AdaptixSerializer sends and checks; the Rust peer has structs of the same shape."""
from dataclasses import asdict, dataclass
from typing import Dict, List, Optional

from communica import AdaptixSerializer


@dataclass
class Item:
    name: str
    price: float
    tags: List[str]


@dataclass
class Order:
    number: int
    express: bool
    items: List[Item]
    remark: Optional[str]


@dataclass
class Receipt:
    number: int
    total: float
    lines: Dict[str, float]
    remark: Optional[str]


SERIALIZER = AdaptixSerializer(Order, Receipt)


def trade(order: Order) -> Receipt:
    assert isinstance(order, Order) and isinstance(order.items[0], Item)
    lines = {item.name: item.price for item in order.items}
    return Receipt(order.number, sum(lines.values()), lines, order.remark)


async def buy(request):
    """Sends an order, and gives the receipt back as plain data."""
    order = Order(7, True, [Item('сыр 🧀', 2.5, []), Item('bread', 1.25, ['dark', 'fresh'])], None)
    receipt = await request('trade', order, SERIALIZER)
    assert isinstance(receipt, Receipt)
    return asdict(receipt)
