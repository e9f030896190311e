"""Waits for a worker, gives it something to do, and dismisses it. The worker is route_client,
in Python or in Rust."""
import asyncio
import sys

from communica import LocalConnector, RouteServer

if len(sys.argv) > 1:
    connector = LocalConnector.from_state(sys.argv[1])
else:
    connector = LocalConnector('communica_route_example')

server = RouteServer(connector)


@server.routes.handler('get_some_info_about')
def get_some_info_about(thing: str):
    print(f'The worker asks about {thing!r}')
    return {'eggs': 3}


async def main():
    async with server:
        print('Waiting for a worker')
        answer = await server.request('process_something', {'thing': 'cake', 'count': 2})
        print(f'The worker answered: {answer}')

        await server.throw('close_client', None)
        await asyncio.sleep(0.1)  # close() drops what is not sent yet


asyncio.run(main())
