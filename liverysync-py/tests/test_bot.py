"""`examples/league_bot.py` as its users run it."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import liverysync
from conftest import MakeFolder, files, program

BOT = Path(__file__).parents[2] / "examples" / "league_bot.py"


async def start(*command: str | Path) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)


async def line(process: asyncio.subprocess.Process, *words: str) -> str:
    """The next line with these words."""
    assert process.stdout is not None
    while text := (await process.stdout.readline()).decode():
        if all(word in text for word in words):
            return text.strip()
    raise AssertionError(f"no line with {words}")


async def test_the_bot_syncs_a_folder_against_the_programs_server(make_folder: MakeFolder) -> None:
    aoi, bots = make_folder("aoi", {"A/decals.png": b"aoi", "A/sponsors.png": b"s"}), make_folder("bot")
    server = await start(program(), "server", "--host", "127.0.0.1", "--port", "0", "--json")
    try:
        port = str(json.loads(await line(server, "listening"))["port"])
        async with liverysync.Client("127.0.0.1", int(port), name="Aoi", liveries=aoi) as one:
            await one.sync(timeout=30)
            bot = await start(sys.executable, "-W", "error", BOT, "join", "127.0.0.1", "--port", port,
                              "--liveries", bots, "--once", "--timeout", "30")  # fmt: skip
            said, _ = await bot.communicate()
    finally:
        server.kill()
        await server.communicate()
    assert bot.returncode == 0
    assert files(bots) == files(aoi)
    assert "In sync: 2 files, 4 bytes" in said.decode()
    assert "New or changed: A (2 files)" in said.decode()


async def test_the_bot_says_who_is_missing_what(make_folder: MakeFolder, tmp_path: Path) -> None:
    allowed = tmp_path / "allowed.txt"
    allowed.write_text("A\n", "utf-8")
    aoi = make_folder("aoi", {"A/a.png": b"a", "B/b.png": b"b"})
    bot = await start(sys.executable, "-W", "error", BOT, "serve", "--host", "127.0.0.1", "--port", "0",
                      "--allow-list", allowed)  # fmt: skip
    try:
        port = int((await line(bot, "listens at")).rstrip(".").rsplit(":")[-1])
        async with liverysync.Client("127.0.0.1", port, name="Aoi", liveries=aoi) as one:
            await line(bot, "Aoi is here.")
            await one.sync(timeout=30)
            async with liverysync.Client("127.0.0.1", port, name="Ben", liveries=make_folder("ben")) as two:
                await two.sync(timeout=30)
                assert await line(bot, "All 2 are in sync")
                assert bot.stdin is not None
                bot.stdin.write(b"!missing\n!status\n")
                assert await line(bot, "Ben will not get") == (
                    "Ben will not get `B/b.png`: its livery is not on the allow list"
                )
                assert await line(bot, "Here: ") == "2 files, 2 bytes. Here: Aoi, Ben."
        await line(bot, "Ben has left.")
    finally:
        bot.kill()
        await bot.communicate()


async def test_a_bot_that_stays_waits_for_the_server(make_folder: MakeFolder) -> None:
    join = (sys.executable, "-W", "error", BOT, "join", "127.0.0.1", "--liveries", make_folder("bot"))
    async with liverysync.Server("127.0.0.1", 0) as gone:
        port = gone.port
    once = await start(*join, "--port", str(port), "--once")
    await once.communicate()
    assert once.returncode == 1
    bot = await start(*join, "--port", str(port))
    try:
        assert await line(bot, "No connection")
        async with liverysync.Server("127.0.0.1", port):
            assert await line(bot, "In sync: 0 files")
    finally:
        bot.kill()
        await bot.communicate()


@pytest.mark.parametrize("mode", ["serve", "join"])
async def test_a_chat_that_fails_ends_the_bot(mode: str, make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BOT.parent))
    bot = importlib.import_module("league_bot")

    class Broken:
        async def post(self, text: str) -> None:
            if "No connection" in text:
                raise OSError("the chat is gone")

        async def questions(self) -> AsyncIterator[str]:
            yield await self.asked()

        async def asked(self) -> str:
            raise OSError("the chat is gone")

    options = argparse.Namespace(host="127.0.0.1", port=0 if mode == "serve" else 9, allow_list=None, name="bot",
                                 liveries=make_folder("bot"), once=False, timeout=60.0)  # fmt: skip
    run = bot.run_server if mode == "serve" else bot.run_client
    with pytest.raises(OSError, match="the chat is gone"):
        await asyncio.wait_for(run(Broken(), options), 20)
