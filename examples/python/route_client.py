"""A worker: does what route_server asks, and asks back for what it needs to know."""
import asyncio
import sys

from communica import LocalConnector, RouteClient

if len(sys.argv) > 1:
    connector = LocalConnector.from_state(sys.argv[1])
else:
    connector = LocalConnector('communica_route_example')

client = RouteClient(connector)
dismissed = asyncio.Event()


@client.routes.handler('process_something')
async def process_something(data: dict):
    thing, count = data['thing'], data['count']
    print(f'To do: {count} of {thing!r}')
    info = await client.request('get_some_info_about', thing)
    eggs = info['eggs']
    return f'a {thing} needs {eggs} eggs, so {count} {thing}s need {count * eggs}'


@client.routes.handler('close_client')
def close_client(_):
    dismissed.set()


async def main():
    async with client:
        await dismissed.wait()
    print('Dismissed, goodbye')


asyncio.run(main())
