#!/usr/bin/env python3
"""A league's bot: it posts what changes and answers who is missing what.

    python examples/league_bot.py serve --port 9239                     is the league's server, and knows who is in sync
    python examples/league_bot.py join HOST --liveries Liveries         keeps a folder in sync with a server that runs elsewhere
    python examples/league_bot.py join HOST --liveries Liveries --once  ends when the folder is in sync

It needs no chat library: `Chat` prints what the bot posts and reads questions from standard input. Put the league's chat in
its place; with discord.py, `post` is `await channel.send(text)`, and `questions` yields `message.content` of each message
that `on_message` puts into a queue. Nothing else here knows of a chat.

Names and paths come from other people, so `safe` takes out what would control a terminal or a chat.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Coroutine

import liverysync
from liverysync import client_events, server_events

HELP = "`!missing`: who is missing what. `!status`: a summary of the league."

PATHS_SHOWN = 5
"""A post is to be read by people."""

PAUSE_SECONDS = 2.0
"""Changes come in bursts. All that come within this time are one post."""

AGAIN_SECONDS = 5.0
"""Pause of a bot that stays, before it tries again to reach a server that is not there."""


class Chat:
    """Standard output and input, in place of a chat."""

    async def post(self, text: str) -> None:
        print(text, flush=True)

    async def questions(self) -> AsyncIterator[str]:
        loop = asyncio.get_running_loop()
        lines: asyncio.Queue[str] = asyncio.Queue()

        def read() -> None:
            # A thread that the end of the program need not wait for; it works on Windows too.
            rest = b""
            with contextlib.suppress(RuntimeError):  # the loop is closed
                while chunk := os.read(0, 4096):
                    *whole, rest = (rest + chunk).split(b"\n")
                    for line in whole:
                        loop.call_soon_threadsafe(lines.put_nowait, line.decode("utf-8", "replace").strip())

        threading.Thread(target=read, daemon=True).start()
        while True:
            yield await lines.get()


def safe(text: str) -> str:
    """Text from other people, without what would control a terminal or mean something to a chat."""
    return "".join(c if c.isprintable() and c not in "`@" else "?" for c in text)


def counted(count: int) -> str:
    """A number of files for people."""
    return "1 file" if count == 1 else f"{count} files"


def size(count: int) -> str:
    """Bytes for people."""
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count} bytes"


def listed(paths: list[str]) -> str:
    """The first few paths."""
    rest = f" and {len(paths) - PATHS_SHOWN} more" if len(paths) > PATHS_SHOWN else ""
    return ", ".join(f"`{safe(path)}`" for path in paths[:PATHS_SHOWN]) + rest


def liveries(paths: list[str]) -> str:
    """The liveries that paths belong to, with the number of files."""
    by_livery = Counter(path.split("/")[0] for path in paths)
    return ", ".join(f"{safe(livery)} ({counted(files)})" for livery, files in by_livery.most_common(PATHS_SHOWN))


def who_is_missing_what(status: liverysync.Status) -> str:
    """The answer to `!missing`."""
    lines = []
    for peer in status.peers:
        coming = [file for file in peer.missing if file.withheld is None]
        never = [file for file in peer.missing if file.withheld is not None]
        if coming:
            total = size(sum(file.bytes for file in coming))
            lines.append(f"{safe(peer.name)} is missing {counted(len(coming))}, {total}: {listed([f.path for f in coming])}")
        for file in never[:PATHS_SHOWN]:
            lines.append(f"{safe(peer.name)} will not get `{safe(file.path)}`: {file.withheld}")
    return "\n".join(lines) if lines else "Nobody is missing anything."


def how_it_stands(status: liverysync.Status) -> str:
    """The answer to `!status`."""
    names = ", ".join(safe(peer.name) for peer in status.peers) or "nobody"
    conflicts = f" Conflict copies: {listed(list(status.conflicts))}." if status.conflicts else ""
    return f"{counted(status.files)}, {size(status.bytes)}. Here: {names}.{conflicts}"


def server_news(event: liverysync.ServerEvent) -> str | None:
    """Returns the post for an event of a server, if it is worth one."""
    match event:
        case server_events.Joined(name=name):
            return f"{safe(name)} is here."
        case server_events.Left(name=name):
            return f"{safe(name)} has left."
        case server_events.Conflict(name=name, path=path, conflict_path=conflict_path):
            return f"{safe(name)} has another `{safe(path)}`: everybody gets it as `{safe(conflict_path)}`."
        case server_events.SessionEnded(target=str(target), installed=installed) if installed:
            return f"{safe(target)} got {installed} files."
        case server_events.TargetFault(name=name, path=path, reason=reason):
            return f"{safe(name)} cannot take `{safe(path)}`: {safe(reason)}"
        case server_events.InSync(clients=clients, files=files) if clients > 1:
            return f"All {clients} are in sync: {counted(files)}."
        case _:
            return None


async def run_server(chat: Chat, options: argparse.Namespace) -> None:
    """Is the league's server."""
    league = liverysync.Server(options.host, options.port, allow_list=options.allow_list)
    async with league.with_events() as (server, events):
        await chat.post(f"The league's server listens at {server.address}:{server.port}.")

        async def answer() -> None:
            async for question in chat.questions():
                match question:
                    case "!missing":
                        await chat.post(who_is_missing_what(server.status()))
                    case "!status":
                        await chat.post(how_it_stands(server.status()))
                    case "!help":
                        await chat.post(HELP)

        async def news() -> None:
            async for event in events:
                text = server_news(event)
                if text is not None:
                    await chat.post(text)

        await first_of(news(), answer())


async def run_client(chat: Chat, options: argparse.Namespace) -> None:
    """Keeps a folder in sync."""
    config = liverysync.Client(options.host, options.port, name=options.name, liveries=options.liveries)
    async with contextlib.AsyncExitStack() as block:
        client, events = await block.enter_async_context(config.with_events())
        posting = asyncio.create_task(post_what_came(chat, events))

        async def syncing() -> None:
            await chat.post(in_sync(await synced(client, options)))
            if options.once:
                # It ends the events, and with them the posting.
                await block.aclose()
            await posting

        await first_of(syncing(), posting)


async def synced(client: liverysync.RunningClient, options: argparse.Namespace) -> liverysync.SyncReport:
    """Waits until the folder is in sync. A bot that stays keeps trying while the server is away."""
    while True:
        try:
            return await client.sync(timeout=options.timeout)
        except (liverysync.Unreachable, liverysync.ConnectionLost):
            if options.once:
                raise
        # Why, the events have said.
        await asyncio.sleep(AGAIN_SECONDS)


def in_sync(report: liverysync.SyncReport) -> str:
    """Returns the result of a sync."""
    conflicts = f"\nConflict copies: {listed(list(report.conflicts))}" if report.conflicts else ""
    return f"In sync: {counted(report.files)}, {size(report.bytes)}, after {report.seconds:.1f} s.{conflicts}"


async def first_of(main: Coroutine[None, None, None], beside: Coroutine[None, None, None] | asyncio.Task[None]) -> None:
    """Runs both until `main` ends or one fails. `asyncio.TaskGroup` would do, but for Python 3.10."""
    tasks = [asyncio.ensure_future(main), asyncio.ensure_future(beside)]
    try:
        while not tasks[0].done():
            done, _ = await asyncio.wait([task for task in tasks if not task.done()], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def post_what_came(chat: Chat, events: liverysync.EventStream[liverysync.ClientEvent]) -> None:
    """Posts what comes, a burst at a time."""
    came: list[str] = []

    async def post() -> None:
        if came:
            await chat.post(f"New or changed: {liveries(came)}")
            came.clear()

    while True:
        try:
            event = await asyncio.wait_for(anext(events), PAUSE_SECONDS if came else None)
        except asyncio.TimeoutError:
            await post()
            continue
        except StopAsyncIteration:
            await post()
            return
        match event:
            case client_events.Installed(path=path):
                came.append(path)
            case client_events.ReceiveFailed(path=path, reason=reason):
                await chat.post(f"`{safe(path)}` did not arrive: {safe(reason)}")
            case client_events.Disconnected(reason=reason, retry_in_seconds=seconds):
                await chat.post(f"No connection ({safe(reason)}); trying again in {seconds:.0f} s.")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="A league's bot without a chat.")
    modes = parser.add_subparsers(dest="mode", required=True)
    serve = modes.add_parser("serve", help="be the league's server")
    serve.add_argument("--host", default="0.0.0.0")
    serve.add_argument("--port", type=int, default=9239)
    serve.add_argument("--allow-list")
    join = modes.add_parser("join", help="keep a folder in sync with a server")
    join.add_argument("host")
    join.add_argument("--port", type=int, default=9239)
    join.add_argument("--name", default="bot")
    join.add_argument("--liveries", help="default: the game's folder")
    join.add_argument("--once", action="store_true", help="end when the folder is in sync")
    join.add_argument(
        "--timeout",
        type=float,
        help="seconds until the folder has to be in sync; default: as long as it takes, but with --once a server that is "
        "not there ends it",
    )
    return parser.parse_args()


def main() -> int:
    options = arguments()
    try:
        asyncio.run((run_server if options.mode == "serve" else run_client)(Chat(), options))
    except liverysync.LiverySyncError as error:
        print(f"error: {safe(str(error))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
