"""Answers whoever asks. Run simple_client next to it, in Python or in Rust."""
import asyncio
import sys
from contextlib import suppress

from communica import SimpleServer, TcpConnector

if len(sys.argv) > 1:
    connector = TcpConnector.from_state(sys.argv[1])
else:
    connector = TcpConnector('localhost', 16161)


def handler(data: str):
    print(f'Received {data!r} from client')
    return f"Thanks for your '{data}'!"


server = SimpleServer(connector=connector, handler=handler)
with suppress(KeyboardInterrupt):
    asyncio.run(server.run())
