"""The Python library as a contender: the same two processes with the same arguments as src/main.rs has, and the same
line of JSON at the end.

    pair.py server python ROAD RUNTIME                                  prints `ready ADDRESS`
    pair.py client python ROAD RUNTIME ADDRESS WORK MILLISECONDS PID    prints what was measured
"""
import asyncio
import json
import os
import socket
import sys
import threading
import time

from communica import LocalConnector, RouteClient, RouteServer, TcpConnector

WARM_UP = 0.3
PATIENCE = 60
FIRST = 1_000_000


def record(number):
    return {
        'id': FIRST + number % FIRST,
        'name': 'Ada Lovelace',
        'email': 'ada@example.org',
        'active': True,
        'score': 98.6,
    }


CONNECTORS = {'local': LocalConnector, 'tcp': TcpConnector}


def new_connector(road):
    if road == 'local':
        return LocalConnector('python')
    with socket.socket() as one:
        one.bind(('127.0.0.1', 0))
        return TcpConnector('127.0.0.1', one.getsockname()[1])


async def serve(road):
    connector = new_connector(road)
    server = RouteServer(connector)
    noted = 0

    @server.routes.handler('echo')
    async def echo(data):
        return data

    @server.routes.handler('note')
    def note(_):
        nonlocal noted
        noted += 1

    @server.routes.handler('noted')
    def tell(_):
        return noted

    threading.Thread(target=end_with_stdin, daemon=True).start()
    async with server:
        print('ready', connector.dump_state(), flush=True)
        await asyncio.Event().wait()


def end_with_stdin():
    sys.stdin.read()
    os._exit(0)


def cpu(pid):
    """Nanoseconds of all its threads."""
    spent = 0
    for thread in os.listdir(f'/proc/{pid}/task'):
        with open(f'/proc/{pid}/task/{thread}/schedstat') as file:
            spent += int(file.read().split()[0])
    return spent


def peak_memory(pid):
    with open(f'/proc/{pid}/status') as file:
        return next(int(line.split()[1]) for line in file if line.startswith('VmHWM:'))


class Window:
    """First nothing is counted, then all is, then there is no more."""

    def __init__(self, length, server):
        self.length, self.pids = length, (server, os.getpid())
        self.is_open = self.is_over = False
        self.times = []

    async def keep_time(self):
        await asyncio.sleep(WARM_UP)
        start, before = time.perf_counter(), sum(map(cpu, self.pids))
        self.is_open = True
        await asyncio.sleep(self.length)
        self.is_open, self.is_over = False, True
        self.seconds = time.perf_counter() - start
        self.cpu = sum(map(cpu, self.pids)) - before
        self.memory = sum(map(peak_memory, self.pids))

    def outcome(self, after):
        self.times.sort()
        calls = len(self.times)
        return {
            'calls_per_second': calls / (self.seconds + after),
            'p50': self.times[calls // 2] * 1e6,
            'p99': self.times[calls * 99 // 100] * 1e6,
            'cpu': self.cpu / 1e3 / calls,
            'memory': self.memory / 1024,
            'passed': 0,
            'idle_memory': 0,
        }


async def call_on(window, client, numbers, throw):
    calls = 0
    last = time.perf_counter()
    for number in numbers:
        if window.is_over:
            return calls
        sent = record(number)
        if throw:
            await client.throw('note', sent)
        else:
            assert await client.request('echo', sent) == sent
        calls += 1
        now = time.perf_counter()
        if window.is_open:
            window.times.append(now - last)
        last = now


async def measure(road, address, work, length, server):
    throw = work.startswith('throw-')
    connections, _, in_flight = work.removeprefix('throw-').rpartition('x')
    connections, in_flight = int(connections or 1), int(in_flight)
    clients = [RouteClient(CONNECTORS[road].from_state(address)) for _ in range(connections)]
    # Never left: the process ends first.
    for client in clients:
        await client.__aenter__()

    window = Window(length, server)
    callers = [client for client in clients for _ in range(in_flight)]
    loops = [
        call_on(window, client, range(index, sys.maxsize, len(callers)), throw)
        for index, client in enumerate(callers)
    ]
    _, *calls = await asyncio.gather(window.keep_time(), *loops)
    over = time.perf_counter()
    if throw:
        while await clients[0].request('noted', None) < sum(calls):
            pass
    print(json.dumps(window.outcome(time.perf_counter() - over)), flush=True)
    os._exit(0)


def main():
    role, _, road, _, *rest = sys.argv[1:]
    if role == 'server':
        asyncio.run(serve(road))
    else:
        address, work, milliseconds, server = rest
        length = int(milliseconds) / 1000
        threading.Timer(PATIENCE + length, lambda: os._exit(1)).start()
        asyncio.run(measure(road, address, work, length, int(server)))


main()
