"""Plays every case against the real library and prints what crossed the wire, as JSON.

Started by record.py, once with orjson and once (`--plain`) without it, because the library
writes its metadata with orjson only where that is installed.
"""
import asyncio
import json
import logging
import sys
import uuid
from itertools import count

PLAIN = '--plain' in sys.argv
if PLAIN:
    sys.modules['orjson'] = None  # makes `import orjson` fail as if it were not installed

from communica import LocalConnector, RouteClient, RouteServer, RouteTable, SimpleClient, SimpleServer
from communica.connectors.base import HandshakeFail
from communica.connectors.stream.connector import StreamConnection
from communica.entities import simple as simple_module
from communica.exceptions import ReqError, RespError
from communica.serializers import MsgpackSerializer
from communica.serializers.json import OrjsonSerializer

CLIENT_ID = '0123456789abcdef0123456789abcdef'
UNICODE = {'greeting': 'Привет, мир', 'emoji': '🦀🐍', 'escaped': 'tab\t quote" null\u0000'}
MSGPACK = MsgpackSerializer()


class Tee:
    """A stream writer that also keeps what is written."""

    def __init__(self, writer, kept):
        self._writer, self._kept = writer, kept

    def write(self, data):
        self._kept.extend(data)
        self._writer.write(data)

    def __getattr__(self, name):
        return getattr(self._writer, name)


class RecordingConnector(LocalConnector):
    """The real connector, keeping the bytes of either side."""

    __slots__ = ('sent',)

    def __init__(self, name):
        super().__init__(name)
        self.sent = {'client': bytearray(), 'server': bytearray()}

    def _create_server_cb(self, handshaker, client_connected_cb):
        inner = super()._create_server_cb(handshaker, client_connected_cb)
        return lambda reader, writer: inner(reader, Tee(writer, self.sent['server']))

    async def _open_connection(self):
        reader, writer = await super()._open_connection()
        return reader, Tee(writer, self.sent['client'])


class Stage:
    """One client and one server, connected, and what each of them received."""

    def __init__(self, name, server_type, client_type, **of_server):
        self.connector = RecordingConnector(name)
        self.server = server_type(self.connector, **of_server)
        if client_type is SimpleClient:
            self.client = SimpleClient(self.connector, handler=work, client_id=CLIENT_ID)
        else:
            self.client = RouteClient(self.connector, client_id=CLIENT_ID)
        self.received = {'client': [], 'server': []}

    async def __aenter__(self):
        simple_module.uuid1 = numbered_uuids()
        self.watch(self.client._flow, 'client')
        create_flow = self.server._create_new_flow
        self.server._create_new_flow = lambda: self.watch(create_flow(), 'server')
        await self.server.init()
        await self.client.init(timeout=10)
        await self.server._get_client_flow(CLIENT_ID)
        return self

    async def __aexit__(self, *_):
        await self.client.close()
        await self.server.close()

    def watch(self, flow, side):
        """Keeps each message as the library itself decoded it."""
        dispatch = flow.dispatch

        def watched(metadata, payload):
            self.received[side].append({'metadata': metadata, 'payload': bytes(payload).hex()})
            dispatch(metadata, payload)

        flow.dispatch = watched
        return flow

    def frames(self, side):
        """What `side` sent after its hello."""
        return bytes(self.connector.sent[side]).split(b'\0', 1)[1]


def numbered_uuids():
    """Stands in for uuid1: ids that are the same in every run."""
    numbers = count(1)
    return lambda: uuid.UUID(int=next(numbers))


class Cases:
    def __init__(self):
        self.found = []

    def add(self, name, sender, what, data, messages=None):
        self.found.append(
            {'name': name, 'sender': sender, 'what': what, 'bytes': data.hex(), 'messages': messages or []}
        )

    def add_sent(self, stage, name, sender, what):
        receiver = 'server' if sender == 'client' else 'client'
        self.add(name, sender, what, stage.frames(sender), stage.received[receiver])


async def work(data):
    """The handler: echoes, or fails in the way it is asked to."""
    if data == 'fail req':
        raise ReqError('bad request')
    if data == 'fail req code':
        raise ReqError('bad request', 400)
    if data == 'fail resp':
        raise RespError('out of order')
    if data == 'fail resp code':
        raise RespError('out of order', -500)
    if data == 'fail unknown':
        raise ValueError('no such luck')
    if data == 'fail dump':
        return object()
    return data


def routes():
    """What Stage needs for a pair of Route entities."""
    table = RouteTable()
    table.handler('work')(work)
    table.handler('packed', MSGPACK)(work)
    return {'server_type': RouteServer, 'client_type': RouteClient, 'route_table': table}


async def handshakes(cases):
    async with Stage('hello', SimpleServer, SimpleClient, handler=work) as stage:
        for side in ('client', 'server'):
            cases.add(f'hello_{side}', side, f'the hello of a {side}', bytes(stage.connector.sent[side]))


async def simple_messages(cases):
    async with Stage('simple', SimpleServer, SimpleClient, handler=work) as stage:
        await stage.client.request({'a': 1, 'b': [True, None, 2.5]})
        cases.add_sent(stage, 'request_simple', 'client', 'a request between Simple entities')
        cases.add_sent(stage, 'result_simple', 'server', 'its result')
    async with Stage('thrown', SimpleServer, SimpleClient, handler=work) as stage:
        await stage.client.throw('no answer wanted')
        while not stage.received['server']:
            await asyncio.sleep(0)
        cases.add_sent(stage, 'throw_simple', 'client', 'a throw between Simple entities')
    async with Stage('back', SimpleServer, SimpleClient, handler=work) as stage:
        await stage.server.request('from the server', client_id=CLIENT_ID)
        cases.add_sent(stage, 'request_of_server', 'server', 'a request that the server sends')
        cases.add_sent(stage, 'result_of_client', 'client', 'its result')


async def route_call(cases, name, route, data, serializer=None):
    """One call between Route entities, recorded as `<name>` and `<name>_answer`."""
    async with Stage(name, **routes()) as stage:
        try:
            await stage.client.request(route, data, serializer)
        except Exception as error:
            outcome = f'the answer, which Python raises as {error!r}'
        else:
            outcome = 'its result'
        cases.add_sent(stage, name, 'client', f'a request for the route {route!r}')
        cases.add_sent(stage, f'{name}_answer', 'server', outcome)


async def route_messages(cases):
    await route_call(cases, 'request_route', 'work', {'a': 1, 'b': [True, None, 2.5]})
    await route_call(cases, 'request_null', 'work', None)
    await route_call(cases, 'request_unicode', 'work', UNICODE)
    await route_call(cases, 'request_msgpack', 'packed', {'a': 1, 'b': [True, None, 2.5]}, MSGPACK)
    if not PLAIN:
        await route_call(cases, 'request_orjson', 'work', UNICODE, OrjsonSerializer())
    await route_call(cases, 'unknown_route', 'nowhere', 1)
    for failure in ('req', 'req_code', 'resp', 'resp_code', 'unknown', 'dump'):
        await route_call(cases, f'error_{failure}', 'work', 'fail ' + failure.replace('_', ' '))
    await route_call(cases, 'error_load', 'work', {'not': 'json'}, MSGPACK)
    async with Stage('throw', **routes()) as stage:
        await stage.client.throw('work', 'no answer wanted')
        while not stage.received['server']:
            await asyncio.sleep(0)
        cases.add_sent(stage, 'throw_route', 'client', 'a throw between Route entities')


async def unknown_keys(cases):
    async with Stage('keys', **routes()) as stage:
        # Sent by hand, because the library itself never adds keys; it answers as it always does.
        metadata = {'trace': {'span': '7f'}, 'route': 'work', 'type': 1, 'id': 'chosen by hand', 'n': [1, -2.5, None]}
        await stage.client._flow._connection.send(metadata, b'"kept"')
        while not stage.received['client']:
            await asyncio.sleep(0)
        cases.add_sent(stage, 'unknown_keys', 'client', 'a request whose metadata has keys nobody knows')
        cases.add_sent(stage, 'unknown_keys_answer', 'server', 'its result, with the same keys')


async def chunks(cases):
    async with Stage('chunks', **routes()) as stage:
        whole = StreamConnection._MAX_CHUNK_SIZE
        StreamConnection._MAX_CHUNK_SIZE = 112
        try:
            await stage.client.request('work', '0123456789' * 27)
        finally:
            StreamConnection._MAX_CHUNK_SIZE = whole
        cases.add_sent(stage, 'chunked', 'client', 'one request in 3 chunks')
        cases.add_sent(stage, 'chunked_answer', 'server', 'its result in 3 chunks')


async def goodbyes(cases):
    for side in ('client', 'server'):
        stage = Stage(f'close_{side}', SimpleServer, SimpleClient, handler=work)
        async with stage:
            await getattr(stage, side).close()
            cases.add(f'close_{side}', side, f'the close notify of a {side}', stage.frames(side))


class RefusingServer(SimpleServer):
    """Says no before it has read the client's hello."""

    __slots__ = ()

    async def _handshaker(self, connection):
        raise HandshakeFail('not you, "friend" 🦀')
        yield


async def refusals(cases):
    connector = RecordingConnector('refusing')
    server = RefusingServer(connector, work)
    await server.init()
    reader, writer = await LocalConnector('refusing')._open_connection()
    refusal = await reader.read()
    writer.close()
    await server.close()
    assert refusal == connector.sent['server']
    cases.add('refused', 'server', 'all that a server sends which refuses a client', refusal)

    async def refuse(reader, writer):
        await reader.readuntil(b'\0')
        writer.write(refusal)
        await writer.drain()
        writer.write_eof()

    connector = RecordingConnector('refused')
    listener = await asyncio.start_unix_server(refuse, connector.repr_address())
    client = SimpleClient(connector, client_id=CLIENT_ID)
    await connector.client_connect(client._handshaker)
    listener.close()
    cases.add('refused_client', 'client', 'all that a refused client sends', bytes(connector.sent['client']))


async def main():
    cases = Cases()
    for play in (handshakes, simple_messages, route_messages, unknown_keys, chunks, goodbyes, refusals):
        await play(cases)
    json.dump(cases.found, sys.stdout)


logging.disable()  # the failures are wanted
asyncio.run(asyncio.wait_for(main(), 60))
