"""The four entities behind one face: `request(name, data)` and `throw(name, data)`."""
import json
import ssl

from communica import LocalConnector, RouteClient, RouteServer, RouteTable, SimpleClient, SimpleServer, TcpConnector
from communica.connectors.base import HandshakeFail
from communica.connectors.rabbitmq import RmqConnector
from communica.serializers import MsgpackSerializer
from communica.serializers.json import JsonSerializer, OrjsonSerializer

import library
import registry
import service
import trade
from behaviours import SPOIL


def context_of(tls, is_server):
    """TLS settings, as our peer has them."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if is_server else ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(tls['trust'])
    if tls['chain']:
        context.load_cert_chain(tls['chain'], tls['key'])
    if tls['demand']:
        context.verify_mode = ssl.CERT_REQUIRED
    if tls['newest']:
        context.maximum_version = ssl.TLSVersion[tls['newest']]
    return context


def connector_of(config):
    state = config['connector']
    if 'tls' in config:
        return TcpConnector.from_state(state, context_of(config['tls'], config['role'] == 'server'))
    if RmqConnector._TYPE in state:
        arguments = json.loads(state)  # it has no state strings, only arguments of these names
        assert arguments.pop('type') == RmqConnector._TYPE
        return RmqConnector(**arguments)
    for kind in (TcpConnector, LocalConnector):
        if kind._TYPE in state:
            return kind.from_state(state)
    raise ValueError(f'no connector for {state}')


def serializer_of(name):
    """The format, except that it spoils what asks for it."""
    base = {'json': JsonSerializer, 'orjson': OrjsonSerializer, 'msgpack': MsgpackSerializer}[name]

    class Spoiling(base):
        __slots__ = ()

        def dump(self, data):
            dumped = super().dump(data)
            return b'\xc1' if SPOIL.encode() in dumped else dumped

    return Spoiling()


def refusing(server_type, reason):
    """A server that lets nobody in."""

    class Refusing(server_type):
        async def _handshaker(self, connection):
            yield {'hello': 'hello'}
            raise HandshakeFail(reason)

    return Refusing


class Side:
    """A running entity. A server talks to the one client whose id it was given."""

    def __init__(self, config, behaviours):
        self.serializer = serializer_of(config['format'])
        self.is_route = config['entity'] == 'route'
        self.is_server = config['role'] == 'server'
        self.client_id = config['client_id']
        self.refusal = config.get('refusal')
        connector = connector_of(config)
        make = self._route_entity if self.is_route else self._simple_entity
        self.entity = make(connector, behaviours)

    def _route_entity(self, connector, behaviours):
        table = RouteTable()
        for name, behaviour in behaviours.by_name().items():
            table.handler(name, self.serializer)(behaviour)
        table.handler('trade', trade.SERIALIZER)(trade.trade)
        service.register(table, behaviours, self.serializer)
        registry.register(table, behaviours, self.serializer)
        library.register(table, self.serializer)
        if self.is_server:
            server_type = refusing(RouteServer, self.refusal) if self.refusal else RouteServer
            return server_type(connector, table)
        return RouteClient(connector, self.client_id, table)

    def _simple_entity(self, connector, behaviours):
        by_name = behaviours.by_name()

        async def handler(message):
            result = by_name[message['do']](message['data'])
            return await result if hasattr(result, '__await__') else result

        if self.is_server:
            return SimpleServer(connector, handler, self.serializer)
        return SimpleClient(connector, handler, self.serializer, self.client_id)

    def is_connected(self):
        if self.is_server:
            return bool(self.entity._get_connected_clients())
        return self.entity.connected_event.is_set()

    async def request(self, name, data, serializer=None):
        return await self._send(self.entity.request, name, data, serializer)

    async def throw(self, name, data):
        await self._send(self.entity.throw, name, data, None)

    async def _send(self, send, name, data, serializer):
        to = {'client_id': self.client_id} if self.is_server else {}
        if self.is_route:
            return await send(name, data, serializer or self.serializer, **to)
        return await send({'do': name, 'data': data}, **to)
