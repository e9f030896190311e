"""The routes of the Rust trait `Office` (tests/src/bin/peer/office.rs), served from Python."""
from communica.exceptions import ReqError


def register(routes, behaviours, serializer):
    @routes.handler('open', serializer)
    def open_(nothing):
        assert nothing is None
        return True

    @routes.handler('square', serializer)
    def square(number: int):
        return number * number

    @routes.handler('divide', serializer)
    def divide(arguments: dict):
        if arguments['by'] == 0:
            raise ReqError('division by zero', 400)
        return arguments['number'] / arguments['by']

    @routes.handler('remember', serializer)
    def remember(line: str):
        behaviours.notes.put_nowait(line)
