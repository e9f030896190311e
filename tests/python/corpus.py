"""Values that must come back as they went out."""

VALUES = [
    None,
    True,
    False,
    0,
    -1,
    2**31,
    -(2**31) - 1,
    2**53 + 1,
    2**63 - 1,
    -(2**63),
    2**63,
    2**64 - 1,
    0.0,
    -0.0,
    1.0,
    0.1,
    1 / 3,
    189.34415275559326,
    6.934698245112694e276,
    1e16,
    123456789.12345679,
    5e-324,
    2.2250738585072014e-308,
    1.7976931348623157e308,
    '',
    'Привет, 世界',
    '🦀🐍 👩\u200d👩\u200d👧 e\u0301',
    'tab\t newline\n quote" backslash\\ zero\0 delete\x7f separator\u2028',
    [],
    {},
    [[[[[[[[]]]]]]]],
    [None, [True, 'x'], {'a': [1, 2.5]}],
    {'': 0, 'ключ': {'🔑': [None]}, 'a b': -1.5},
    list(range(-200, 70000, 77)),
]


def differences(sent, received, path='value'):
    """Where two values differ, types included, in words."""
    if type(sent) is not type(received):
        return [f'{path}: sent {sent!r}, received {received!r}']
    if isinstance(sent, list) and len(sent) == len(received):
        pairs = enumerate(zip(sent, received))
        return [line for i, (a, b) in pairs for line in differences(a, b, f'{path}[{i}]')]
    if isinstance(sent, dict) and sent.keys() == received.keys():
        return [line for key in sent for line in differences(sent[key], received[key], f'{path}[{key!r}]')]
    # repr tells 0.0 from -0.0, which == does not
    return [] if repr(sent) == repr(received) else [f'{path}: sent {sent!r}, received {received!r}']
