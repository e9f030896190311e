"""What a peer does when it is asked: each function is a route, or a deed of a Simple handler."""
import asyncio

from communica.exceptions import ReqError, RespError

SPOIL = 'SPOIL ME'  # what contains this text leaves as bytes that no format can load


class Behaviours:
    def __init__(self):
        self.notes = asyncio.Queue()
        self.side = None

    def by_name(self):
        names = ('echo', 'double', 'fail', 'crash', 'note', 'relay', 'undumpable', 'spoiled', 'hang', 'lines')
        return {name: getattr(self, name) for name in names}

    async def echo(self, data):
        return data

    def double(self, number):
        return number * 2

    def fail(self, how):
        kind = {'ReqError': ReqError, 'RespError': RespError}[how['kind']]
        raise kind(how['message'], how['code'])

    async def crash(self, text):
        raise ValueError(text)

    def note(self, data):
        self.notes.put_nowait(data)

    async def relay(self, call):
        """Asks the asker back."""
        return await self.side.request(call['name'], call['data'])

    def undumpable(self, _):
        return object()

    def spoiled(self, _):
        return SPOIL

    def lines(self, count):
        """More than was asked with: our peers bound what they take."""
        return 'a line of 16 b.\n' * count

    async def hang(self, data):
        self.notes.put_nowait(data)
        await asyncio.Event().wait()
