"""The routes of the Rust trait `Registry` (tests/src/bin/peer/registry.rs), and a requester of it."""
from dataclasses import dataclass
from typing import List

from adaptix import P, Retort, validator
from communica import AdaptixSerializer


@dataclass
class Home:
    rooms: int


@dataclass
class Person:
    name: str
    age: int
    homes: List[Home]


RETORT = Retort(recipe=[
    validator(P[Person].age, lambda age: age <= 130, 'nobody is that old'),
    validator(P[Home].rooms, lambda rooms: rooms >= 1, 'no home has no rooms'),
])
SERIALIZER = AdaptixSerializer(Person, None, retort=RETORT)


def register(routes, behaviours, serializer):
    @routes.handler('registry.put', SERIALIZER)
    def put(person: Person):
        assert isinstance(person, Person)
        behaviours.notes.put_nowait(person.name)

    # Knows no rules.
    @routes.handler('registry.rename', serializer)
    def rename(arguments: dict):
        behaviours.notes.put_nowait(arguments['person']['name'])
        return {**arguments['person'], 'name': arguments['name']}


async def put(request, age):
    """Sends a dataclass. Adaptix checks what comes in, and not what goes out."""
    return await request('registry.put', Person('Eva', age, [Home(1)]), SERIALIZER)
