"""Records what the Python library writes: communica/src/wire/recordings/*.bin and their index.

Run by `cargo xtask record`. Two runs make the same files; `--check` only compares. A case whose bytes are the same with
and without orjson is kept once, as `<name>.bin`; one that differs as `<name>.orjson.bin` and
`<name>.json.bin`.
"""
import json
import os
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
RECORDINGS = HERE.parent.parent / 'communica' / 'src' / 'wire' / 'recordings'


def play(*arguments):
    """The cases by name, as one run of record_cases.py saw them."""
    with tempfile.TemporaryDirectory() as scratch:
        process = subprocess.run(
            [sys.executable, str(HERE / 'record_cases.py'), *arguments],
            env={**os.environ, 'TMPDIR': scratch},
            stdout=subprocess.PIPE,
            timeout=120,
            check=True,
        )
    return {case['name']: case for case in json.loads(process.stdout)}


def entry(case, file, json_library):
    """One line of the index: which file, who sent it, and what the other side makes of it."""
    return {
        'file': file,
        'case': case['name'],
        'sender': case['sender'],
        'json_library': json_library,
        'what': case['what'],
        'messages': case['messages'],
    }


def recordings():
    """All files by name."""
    with_orjson, plain = play(), play('--plain')
    files, index = {}, []
    for name, case in with_orjson.items():
        other = plain.get(name)
        if other is None or other['bytes'] == case['bytes']:
            kept = [(case, f'{name}.bin', 'orjson' if other is None else 'either')]
        else:
            kept = [(case, f'{name}.orjson.bin', 'orjson'), (other, f'{name}.json.bin', 'json')]
        for found, file, json_library in kept:
            files[file] = bytes.fromhex(found['bytes'])
            index.append(entry(found, file, json_library))

    text = json.dumps({'recorded_from': f'communica {version("communica")}', 'recordings': index}, indent=1)
    files['recordings.json'] = f'{text}\n'.encode()
    return files


def check(files):
    """The reason why the folder does not hold exactly these files, if it does not."""
    kept = {path.name: path.read_bytes() for path in RECORDINGS.iterdir()}
    wrong = sorted(name for name in kept.keys() | files.keys() if kept.get(name) != files.get(name))
    return f'not what the library writes, see `cargo xtask record`: {", ".join(wrong)}' if wrong else None


def write(files):
    RECORDINGS.mkdir(parents=True, exist_ok=True)
    for old in RECORDINGS.iterdir():
        old.unlink()
    for name, data in files.items():
        (RECORDINGS / name).write_bytes(data)
    print(f'{len(files)} files in {RECORDINGS}')


if '--check' in sys.argv:
    sys.exit(check(recordings()))
write(recordings())
