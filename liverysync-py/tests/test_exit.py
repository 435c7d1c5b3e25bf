"""The end of the interpreter, and of its loops, while something runs: it neither hangs nor crashes nor prints.

Each case is a program of its own, run a few times, because these are races.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from conftest import MakeFolder
from liverysync import blocking

START = """
import asyncio, atexit, sys, threading
import liverysync
from liverysync import blocking, client_events
port, folder = int(sys.argv[1]), sys.argv[2]
"""

BUSY = START + """
async def main():
    block = liverysync.Client("127.0.0.1", port, name="Ben", liveries=folder).with_events()
    client, events = await block.__aenter__()
    async for event in events:
        if isinstance(event, client_events.Received):
            return client
"""

CASES = {
    "asyncio, never stopped": BUSY + """
client = asyncio.run(main())
""",
    "asyncio, the object is gone too": BUSY + """
asyncio.run(main())
""",
    "asyncio, a task still waits": BUSY + """
async def outer():
    client = await main()
    task = asyncio.create_task(client.sync())
    await asyncio.sleep(0)
    sys.exit()
try:
    asyncio.run(outer())
except SystemExit:
    pass
""",
    "asyncio, the loop is closed under a future that waits": START + """
loop = asyncio.new_event_loop()
block = liverysync.Server("127.0.0.1", 0).with_events()
server, events = loop.run_until_complete(block.__aenter__())
waiting = loop.create_task(anext(events))
loop.run_until_complete(asyncio.sleep(0))
waiting._log_destroy_pending = False
loop.close()
# Its event comes when nobody is there any more.
with blocking.Client("127.0.0.1", server.port, name="Ben", liveries=folder) as client:
    client.sync(timeout=10)
""",
    "blocking, never stopped": START + """
block = blocking.Client("127.0.0.1", port, name="Ben", liveries=folder).with_events()
client, events = block.__enter__()
for event in events:
    if isinstance(event, client_events.Received):
        break
""",
    "daemon threads that wait": START + """
block = blocking.Client("127.0.0.1", port, name="Ben", liveries=folder).with_events()
client, events = block.__enter__()
def read():
    for event in client.events():
        pass
def sync():
    while True:
        try:
            client.sync()
        except liverysync.LiverySyncError:
            pass
threads = [threading.Thread(target=work, daemon=True) for work in (read, sync, sync)]
for thread in threads:
    thread.start()
for event in events:
    if isinstance(event, client_events.Received):
        break
""",
    "a daemon thread with a loop": BUSY + """
started = threading.Event()
async def forever():
    client = await main()
    started.set()
    async for event in client.events():
        pass
threading.Thread(target=lambda: asyncio.run(forever()), daemon=True).start()
started.wait()
""",
    "a daemon thread that scans": START + """
scanned = threading.Event()
def scan():
    while True:
        liverysync.scan(folder + "/../aoi")
        scanned.set()
threading.Thread(target=scan, daemon=True).start()
scanned.wait()
""",
    "used by a hook that runs after ours": """
import atexit, sys
@atexit.register
def last():
    try:
        client.events()
        print("it runs")
    except liverysync.Stopped:
        pass
    block.__exit__(None, None, None)
    liverysync.scan(folder)
""" + START + """
block = blocking.Client("127.0.0.1", port, name="Ben", liveries=folder)
client = block.__enter__()
""",
    "a server that was never stopped": START + """
block = blocking.Server("127.0.0.1", 0)
server = block.__enter__()
""",
}


@pytest.mark.parametrize("case", CASES)
def test_a_program_exits_quietly(case: str, make_folder: MakeFolder, tmp_path: Path) -> None:
    aoi = make_folder("aoi", {f"A/{number}.png": os.urandom(2_000_000) for number in range(20)})
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(CASES[case]), "utf-8")
    with (
        blocking.Server("127.0.0.1", 0) as server,
        blocking.Client("127.0.0.1", server.port, name="Aoi", liveries=aoi) as holder,
    ):
        holder.sync(timeout=30)
        for turn in range(2):
            folder = make_folder(f"ben{turn}")
            began = time.monotonic()
            ended = subprocess.run(
                [sys.executable, "-X", "dev", "-W", "error", program, str(server.port), folder],
                capture_output=True,
                text=True,
                timeout=20,
            )
            assert (ended.stdout, ended.stderr, ended.returncode) == ("", "", 0)
            assert time.monotonic() - began < 10
            assert not (folder / ".tmp").exists()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="has no fork")
def test_a_forked_process_gets_an_error_and_ends(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        textwrap.dedent(
            """
            import os, sys
            from liverysync import blocking
            block = blocking.Server("127.0.0.1", 0)
            block.__enter__()
            child = os.fork()
            if child == 0:
                try:
                    block.__exit__(None, None, None)
                except RuntimeError as error:
                    assert "forked" in str(error)
                    sys.exit(7)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
            """
        ),
        "utf-8",
    )
    ended = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=20)
    assert (ended.stdout, ended.returncode) == ("", 0), ended.stderr
