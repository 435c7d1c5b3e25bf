"""A program of its own, in which nothing else takes or gives back memory: what a hundred syncs leave behind.

It prints a line for each thing that there is more of than before.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from pathlib import Path

from liverysync import Client, Server
from liverysync import _liverysync as native

ALLOWED = {"running": 0, "objects": 50, "descriptors": 5, "threads": 20, "kilobytes": 4000}
"""A hundred of anything would be a leak. About 500 kilobytes have been seen."""


def held() -> dict[str, int]:
    """Counts the objects and resources of this process."""
    gc.collect()
    held = {"running": native.running_count(), "objects": len(gc.get_objects())}
    if os.path.exists("/proc/self/status"):
        fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        held["descriptors"] = len(os.listdir("/proc/self/fd"))
        held["threads"] = int(fields["Threads"])
        held["kilobytes"] = int(fields["VmRSS"].split()[0])
    return held


async def once(port: int, folder: Path) -> None:
    """One client's life."""
    async with Client("127.0.0.1", port, name=folder.name, liveries=folder, settle_seconds=0.05) as client:
        events = client.events()
        await client.sync(timeout=30)
        async for _event in events:
            break


async def left_behind(folders: list[Path]) -> list[str]:
    """Lists the resources of which there are more after a hundred syncs."""
    async with Server("127.0.0.1", 0) as server:

        async def rounds(number: int) -> None:
            for _ in range(number):
                await asyncio.gather(*(once(server.port, folder) for folder in folders))

        # The first ones fill caches and start threads, and the allocator gets what it keeps for each of those.
        await rounds(16)
        before = held()
        await rounds(20)

        def grown() -> list[str]:
            after = held()
            return [f"{what}: {before[what]} -> {after[what]}" for what in after if after[what] > before[what] + ALLOWED[what]]

        # The watchers of folders end on threads of their own, and nothing says when.
        for _ in range(50):
            if not grown():
                break
            await asyncio.sleep(0.1)
        return grown()


if __name__ == "__main__":
    print(*asyncio.run(left_behind([Path(folder) for folder in sys.argv[1:]])), sep="\n")
