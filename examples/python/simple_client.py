"""Asks simple_server once, which may be the one in Python or the one in Rust."""
import asyncio
import sys

from communica import SimpleClient, TcpConnector

if len(sys.argv) > 1:
    connector = TcpConnector.from_state(sys.argv[1])
else:
    connector = TcpConnector('localhost', 16161)


async def main():
    async with SimpleClient(connector=connector) as client:
        resp = await client.request('hello')
        print(f'Server responded with {resp!r}')


asyncio.run(main())
