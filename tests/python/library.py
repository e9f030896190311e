"""The routes of the Rust trait `Library` (tests/src/bin/peer/library.rs), served from Python."""
from communica.exceptions import ReqError, RespError

FAILURES = {
    'missing': ReqError('gone', 404),
    'out of order': RespError('jammed', 507),
    # A code of the enum, and the other side to blame.
    'blamed': RespError('gone', 404),
    # The code of a variant that has fields.
    'too many': ReqError('slow down', 429),
    'other': ReqError('a teapot', 418),
    'bare': ReqError('please no'),
    'crash': LookupError('no luck'),
}


def register(routes, serializer):
    def answer(book: str):
        if book in FAILURES:
            raise FAILURES[book]
        return int(book)

    routes.handler('library.lend', serializer)(answer)
    routes.handler('library.price', serializer)(answer)
