"""One process of a test: an entity of the real library that does what JSON lines on stdin say.

Started as `peer.py <config>`. Writes `{"ready": true}` once it listens or is connected, then
for each command `{"n": 1, "do": "request", …}` one line `{"n": 1, "ok": …}` or
`{"n": 1, "error": {"kind": …, "message": …, "code": …}}`. Commands run side by side. The end
of stdin ends the process. tests/src/bin/peer is its twin in Rust.
"""
import asyncio
import json
import logging
import sys

CONFIG = json.loads(sys.argv[1])
if CONFIG['format'] == 'json':
    sys.modules['orjson'] = None  # as if it were not installed: metadata is then written by json, too

from communica.connectors.rabbitmq import RmqConnector
from communica.connectors.stream.connector import ChunkedMessageFrame, StreamConnection

import corpus
import registry
import trade
from behaviours import Behaviours
from sides import Side

MAX_LINE = 1 << 26


class Commands:
    """Each method is a command; what it returns is the answer."""

    def __init__(self, side, behaviours):
        self.side, self.behaviours = side, behaviours

    async def request(self, name, data):
        return await self.side.request(name, data)

    async def throw(self, name, data):
        await self.side.throw(name, data)

    async def next_note(self):
        """The next thing that `note` or `hang` was given."""
        return await self.behaviours.notes.get()

    async def many(self, count):
        """So many calls at once; those that were answered wrongly."""
        answers = await asyncio.gather(*(self.side.request('double', i) for i in range(count)))
        return [[i, answer] for i, answer in enumerate(answers) if answer != 2 * i]

    async def large(self, size):
        """Whether a text of so many bytes came back whole."""
        text = ('0123456789abcde\n' * (size // 16 + 1))[:size]
        return await self.side.request('echo', text) == text

    async def corpus(self):
        found = []
        for value in corpus.VALUES:
            found += corpus.differences(value, await self.side.request('echo', value))
        return found

    async def buy(self):
        return await trade.buy(self.side.request)

    async def put_person(self, age):
        return await registry.put(self.side.request, age)

    async def chunks(self):
        """How many went out and came in."""
        return chunks

    async def disconnected(self):
        """Waits until this side has noticed that the link is gone."""
        while self.side.is_connected():
            await asyncio.sleep(0.01)

    async def warning(self, about):
        """The first warning of the library with these words, which may still come."""
        while not (found := [line for line in warnings if about in line]):
            await asyncio.sleep(0.01)
        return found[0]

    async def pickled_connector(self):
        """What RmqConnector says of itself to another process, apart from its pool."""
        _, (arguments,) = self.side.entity.connector.__reduce__()
        return {name: value for name, value in arguments.items() if name != 'channel_pool'} | {
            'url': str(arguments['url'])
        }

    async def close(self):
        try:
            await self.side.entity.close()
        except AttributeError as error:
            # A server says goodbye even to clients that are gone, and asyncio's TLS does not take that.
            if '_write_appdata' not in str(error):
                raise


warnings = []


class Warnings(logging.Handler):
    """Keeps them, and writes them to the log of the test."""

    def emit(self, record):
        warnings.append(record.getMessage())
        print(self.format(record), file=sys.stderr)


chunks = {'sent': 0, 'received': 0}


def count_chunks():
    """Makes the library count them."""
    dump, load = ChunkedMessageFrame.to_bytes, ChunkedMessageFrame._load.__func__

    def counted_dump(frame):
        chunks['sent'] += 1
        return dump(frame)

    def counted_load(cls, data):
        chunks['received'] += 1
        return load(cls, data)

    ChunkedMessageFrame.to_bytes = counted_dump
    ChunkedMessageFrame._load = classmethod(counted_load)


def tell(line):
    print(json.dumps(line), flush=True)


async def perform(commands, line):
    arguments = json.loads(line)
    number, command = arguments.pop('n'), getattr(commands, arguments.pop('do'))
    try:
        tell({'n': number, 'ok': await command(**arguments)})
    except Exception as error:
        message, code = getattr(error, 'message', str(error)), getattr(error, 'code', None)
        tell({'n': number, 'error': {'kind': type(error).__name__, 'message': message, 'code': code}})


async def main():
    logging.getLogger().addHandler(Warnings(logging.WARNING))
    count_chunks()
    if 'chunk_size' in CONFIG:
        StreamConnection._MAX_CHUNK_SIZE = CONFIG['chunk_size']
    if 'listening_period' in CONFIG:
        RmqConnector.CONNECTION_CHECK_PERIOD = CONFIG['listening_period']
    behaviours = Behaviours()
    side = behaviours.side = Side(CONFIG, behaviours)
    stdin = asyncio.StreamReader(limit=MAX_LINE)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    await side.entity.init(**({} if CONFIG.get('wait', True) else {'timeout': None}))
    tell({'ready': True})

    commands, running = Commands(side, behaviours), set()
    async for line in stdin:
        task = asyncio.create_task(perform(commands, line))
        running.add(task)  # the loop keeps only weak references
        task.add_done_callback(running.discard)


asyncio.run(main())
