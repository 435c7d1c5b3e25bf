"""Client and server in one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import get_args

import pytest

import liverysync
from conftest import MakeFolder, files, program, put
from liverysync import Client, RunningServer, Server, Updates, blocking, client_events, server_events
from liverysync import _liverysync as native


@pytest.fixture
async def server() -> AsyncIterator[RunningServer]:
    async with Server("127.0.0.1", 0) as running:
        yield running


def client(server: RunningServer, name: str, liveries: Path) -> Client:
    return Client("127.0.0.1", server.port, name=name, liveries=liveries, settle_seconds=0.05, retry_first_seconds=0.1)


async def test_two_clients_and_a_server_run_in_one_loop(server: RunningServer, make_folder: MakeFolder) -> None:
    aoi = make_folder("aoi", {"A/decals.png": b"aoi", "S/decals.png": b"first"})
    ben = make_folder("ben", {"B/decals.png": b"{}", "S/decals.png": b"second"})
    async with client(server, "Aoi", aoi) as one:
        first = await one.sync(timeout=30)
        assert (first.files, first.received_files, first.certain) == (2, 0, True)
        async with client(server, "Ben", ben) as two:
            report = await two.sync(timeout=30)
            await one.sync(timeout=30)
            status = server.status()
    assert files(aoi) == files(ben)
    (conflict,) = report.conflicts
    assert conflict.startswith("S/decals__CONFLICT__")
    assert files(ben)[conflict] == b"second" and files(ben)["S/decals.png"] == b"first"
    assert (report.files, report.bytes) == (4, sum(map(len, files(ben).values())))
    assert report.received_files == 2 and report.received_bytes == 8 and report.seconds > 0
    assert report.plan is None
    assert liverysync.scan(aoi) == liverysync.scan(ben)
    assert status.files == 4 and status.conflicts == (conflict,)
    assert [(peer.name, peer.files, peer.missing, peer.in_sync) for peer in status.peers] == [
        ("Aoi", 4, (), True),
        ("Ben", 4, (), True),
    ]
    assert status.peers[0].program == "liverysync"
    assert status.peers[0].address.startswith("127.0.0.1")
    assert status.union_hash == liverysync.merge([liverysync.scan(aoi)]).hash


async def test_events_tell_what_happens(make_folder: MakeFolder) -> None:
    aoi, ben = make_folder("aoi", {"A/decals.png": b"aoi"}), make_folder("ben")
    async with Server("127.0.0.1", 0).with_events() as (server, told):
        async with client(server, "Aoi", aoi) as one:
            await one.sync(timeout=30)
            async with client(server, "Ben", ben).with_events() as (two, from_the_start):
                await two.sync(timeout=30)
                at_two = [event async for event in until(from_the_start, client_events.InSync)]
    assert {type(event) for event in at_two} >= {client_events.Scanned, client_events.Connected, client_events.SyncBegan}
    (installed,) = (event for event in at_two if isinstance(event, client_events.Installed))
    assert (installed.path, installed.bytes, installed.backup, installed.copied) == ("A/decals.png", 3, None, False)
    async for _rest in from_the_start:
        pass
    with pytest.raises(StopAsyncIteration):
        await anext(from_the_start)
    at_server = [event async for event in told]
    assert [event.name for event in at_server if isinstance(event, server_events.Joined)] == ["Aoi", "Ben"]
    assert {event.name for event in at_server if isinstance(event, server_events.Left)} >= {"Aoi", "Ben"}
    assert not any(isinstance(event, liverysync.client_events.UnknownEvent) for event in [*at_two, *at_server])


async def until(
    events: liverysync.EventStream[client_events.ClientEvent], last: type
) -> AsyncIterator[client_events.ClientEvent]:
    async for event in events:
        yield event
        if isinstance(event, last):
            return


async def test_several_readers_get_the_same_events(server: RunningServer, make_folder: MakeFolder) -> None:
    async with client(server, "Aoi", make_folder("aoi", {"A/a.png": b"a"})) as one:
        readers = [one.events(), one.events()]
        await one.sync(timeout=30)
    first, second = readers
    seen = [event async for event in first]
    assert seen and seen == [event async for event in second]


async def test_a_cancelled_wait_loses_no_event(server: RunningServer, make_folder: MakeFolder) -> None:
    got = []
    async with client(server, "Aoi", make_folder("aoi", {"A/a.png": b"a"})) as one:
        patient, impatient = one.events(), one.events()
        syncing = asyncio.ensure_future(one.sync(timeout=30))
        while not syncing.done():
            waiting = asyncio.ensure_future(anext(impatient))
            await asyncio.sleep(0)
            waiting.cancel()
            try:
                got.append(await waiting)
            except asyncio.CancelledError:
                pass
        await syncing
    got += [event async for event in impatient]
    assert got == [event async for event in patient]


async def test_a_cancelled_sync_only_stops_waiting(make_folder: MakeFolder) -> None:
    folder = make_folder("aoi", {"A/a.png": b"a"})
    async with Client("127.0.0.1", unused_port(), name="Aoi", liveries=folder) as one:
        events = one.events()
        syncing = asyncio.create_task(one.sync(timeout=30))
        async for event in events:
            if isinstance(event, client_events.Disconnected):
                break
        syncing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await syncing
        with pytest.raises(liverysync.Unreachable):
            await one.sync()


async def test_a_cancelled_block_leaves_no_temp_file(server: RunningServer, make_folder: MakeFolder) -> None:
    big = {f"A/{number}.png": os.urandom(3_000_000) for number in range(12)}
    aoi, ben = make_folder("aoi", big), make_folder("ben")
    async with client(server, "Aoi", aoi) as one:
        await one.sync(timeout=30)
        arriving = asyncio.Event()

        async def syncing() -> None:
            async with client(server, "Ben", ben).with_events() as (_, events):
                async for event in events:
                    if isinstance(event, client_events.Received):
                        arriving.set()

        task = asyncio.create_task(syncing())
        await arriving.wait()
        assert (ben / ".tmp").exists(), "it has to be in the middle of a file"
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert not (ben / ".tmp").exists()
    assert all(big[path] == content for path, content in files(ben).items())
    assert len(files(ben)) < len(big)


async def test_a_second_cancellation_stops_the_client_too(server: RunningServer, make_folder: MakeFolder) -> None:
    folder = make_folder("aoi", {"A/a.png": b"a"})
    one = client(server, "Aoi", folder)
    inside = asyncio.Event()

    async def running() -> None:
        async with one:
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(running())
    await inside.wait()
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # Nobody waited for its end, but it comes.
    await becomes_free(client(server, "Aoi", folder))


async def becomes_free(one: Client) -> None:
    """Waits until no other client syncs the folder."""
    while True:
        try:
            async with one as running:
                await running.sync(timeout=30)
                return
        except liverysync.FolderBusy:
            await asyncio.sleep(0.01)


async def test_a_cancelled_start_does_not_continue(server: RunningServer, make_folder: MakeFolder) -> None:
    folder = make_folder("aoi")
    one = client(server, "Aoi", folder)
    starting = asyncio.create_task(one.__aenter__())
    await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    await becomes_free(client(server, "Ben", folder))
    # The block was never open, so the configuration can be used.
    await becomes_free(one)


def test_nothing_starts_without_a_loop(make_folder: MakeFolder) -> None:
    folder = make_folder("aoi")
    one, league = Client("127.0.0.1", unused_port(), name="Aoi", liveries=folder), Server("127.0.0.1", 0)
    with pytest.raises(RuntimeError, match="no running event loop"):
        one.__aenter__().send(None)
    with pytest.raises(RuntimeError, match="no running event loop"):
        league.__aenter__().send(None)
    # They start in a thread, if they do.
    time.sleep(0.2)
    assert native.running_count() == 0

    async def running() -> None:
        async with one as client, league as server:
            for wait in (client.sync, client.events().__anext__, server.events().__anext__):
                with pytest.raises(RuntimeError, match="no running event loop"):
                    await asyncio.to_thread(lambda: wait().send(None))
            with pytest.raises(liverysync.Unreachable):
                await client.sync()

    asyncio.run(running())


async def test_a_handle_runs_only_inside_its_block(make_folder: MakeFolder) -> None:
    async with Server("127.0.0.1", 0) as server, client(server, "Aoi", make_folder("aoi")) as one:
        await one.sync(timeout=30)
        told = server.events()
    for use in (one.events, one.set_limits, server.events, server.set_limits, server.status):
        with pytest.raises(liverysync.Stopped, match="only inside its `with` block"):
            use()
    with pytest.raises(liverysync.Stopped, match="only inside its `with` block"):
        await one.sync()
    assert issubclass(liverysync.Stopped, RuntimeError) and issubclass(liverysync.Stopped, liverysync.LiverySyncError)
    assert server.port > 0 and server.address == "127.0.0.1"
    # A stream that was there before has an end.
    assert {type(event) for event in [event async for event in told]} >= {server_events.Left}


async def test_a_configuration_serves_one_block_after_another(server: RunningServer, make_folder: MakeFolder) -> None:
    one = client(server, "Aoi", make_folder("aoi"))
    async with one as first:
        await first.sync(timeout=30)
        with pytest.raises(RuntimeError, match="the block before is still open"):
            await one.__aenter__()
        await first.sync(timeout=30)
    async with one as second:
        assert second is not first
        await second.sync(timeout=30)
    with pytest.raises(liverysync.Stopped):
        await first.sync()


async def test_each_call_of_with_events_is_a_block_of_its_own() -> None:
    league = Server("127.0.0.1", 0)
    async with league.with_events() as (first, _), league.with_events() as (second, told), league as third:
        assert len({first.port, second.port, third.port}) == 3
    assert [event async for event in told] == []


def test_a_configuration_neither_runs_nor_changes(make_folder: MakeFolder) -> None:
    one = Client("127.0.0.1", 9239, liveries=make_folder("aoi"))
    with pytest.raises(AttributeError):
        one.sync()  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        Server().status()  # type: ignore[attr-defined]
    for config in (one, Server("127.0.0.1"), blocking.Server("127.0.0.1")):
        assert (config.host, config.port) == ("127.0.0.1", 9239)
        for name in ("host", "port", "limit_up"):
            with pytest.raises(AttributeError):
                setattr(config, name, 1)


async def test_a_sync_times_out(make_folder: MakeFolder) -> None:
    async with Client("127.0.0.1", unused_port(), name="Aoi", liveries=make_folder("aoi")) as one:
        with pytest.raises(liverysync.TimedOut, match="timed out after 0.2 s") as caught:
            await one.sync(timeout=0.2)
        assert isinstance(caught.value, TimeoutError) and isinstance(caught.value, liverysync.LiverySyncError)
        with pytest.raises(liverysync.Unreachable) as unreachable:
            await one.sync()
        assert isinstance(unreachable.value, ConnectionError)
        with pytest.raises(ValueError, match="timeout is a number of seconds"):
            await one.sync(timeout=-1)


async def test_a_failed_start_gives_the_reason(server: RunningServer, make_folder: MakeFolder, tmp_path: Path) -> None:
    with pytest.raises(liverysync.CannotStart, match="cannot listen") as caught:
        await Server("127.0.0.1", server.port).__aenter__()
    assert caught.value.errno == errno.EADDRINUSE
    with pytest.raises(liverysync.CannotStart, match="^cannot listen at no such host:0: ") as unknown:
        await Server("no such host", 0).__aenter__()
    assert unknown.value.errno is None

    missing = client(server, "Aoi", tmp_path / "nowhere")
    with pytest.raises(liverysync.FolderError) as folder:
        await missing.__aenter__()
    assert folder.value.path == tmp_path / "nowhere"
    assert (folder.value.errno, folder.value.filename) == (errno.ENOENT, str(tmp_path / "nowhere"))
    (tmp_path / "nowhere").mkdir()
    # What failed for good reason can be tried again.
    async with missing:
        with pytest.raises(liverysync.FolderBusy) as busy:
            await client(server, "Ben", tmp_path / "nowhere").__aenter__()
        assert busy.value.errno == errno.EBUSY and busy.value.path == tmp_path / "nowhere"


async def test_a_huge_timeout_does_not_panic(make_folder: MakeFolder) -> None:
    options = {"port": unused_port(), "retry_first_seconds": 0.05}
    async with Client("127.0.0.1", name="Aoi", liveries=make_folder("aoi"), **options) as one:  # type: ignore[arg-type]
        for huge in (1e9, 1e19):
            with pytest.raises((asyncio.TimeoutError, liverysync.LiverySyncError)):
                await asyncio.wait_for(one.sync(timeout=huge), 0.2)
    config = blocking.Client("127.0.0.1", name="Ben", liveries=make_folder("ben"), **options)  # type: ignore[arg-type]
    with contextlib.ExitStack() as block:
        two = block.enter_context(config)
        for wrong in (-1.0, float("nan"), float("inf")):
            with pytest.raises(ValueError, match="timeout is a number of seconds"):
                two.sync(timeout=wrong)
        # Another thread may end the block, and a wait with it.
        threading.Timer(0.5, block.close).start()
        with pytest.raises(liverysync.LiverySyncError):
            two.sync(timeout=1e19)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": " "},
        {"name": "x" * 65},
        {"settle_seconds": 0},
        {"rescan_seconds": -1.0},
        {"retry_max_seconds": float("nan")},
        {"max_entries": 0},
        {"max_file_size": 0},
        {"extensions": []},
        {"conflict_suffix": "/"},
    ],
)
def test_invalid_options_of_a_client_are_refused(tmp_path: Path, wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        Client("127.0.0.1", liveries=tmp_path, **wrong)  # type: ignore[arg-type]


def test_invalid_options_of_a_server_are_refused() -> None:
    assert set(native.UPDATES) == set(get_args(Updates))
    wrong: list[dict[str, object]] = [{"conflict_policy": "loudest"}, {"conflict_scope": "world"}, {"updates": "nobody"}, {"conflict_suffix": "/"}, {"max_sessions": 0}, {"port": 70_000}, {"max_sessions": -1}]
    for options in wrong:
        with pytest.raises(ValueError):
            Server(**options)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="^max_sessions: 'str' object"):
        Server(max_sessions="many")  # type: ignore[arg-type]


async def test_a_dry_run_changes_nothing_and_has_a_plan(server: RunningServer, make_folder: MakeFolder) -> None:
    aoi, ben = make_folder("aoi", {"A/decals.png": b"aoi"}), make_folder("ben", {"B/b.png": b"ben"})
    os.utime(ben / "B/b.png", (1e9, 1e9))
    async with client(server, "Aoi", aoi) as one:
        await one.sync(timeout=30)
        async with Client("127.0.0.1", server.port, name="Ben", liveries=ben, dry_run=True) as two:
            plan = (await two.sync(timeout=30)).plan
    assert plan is not None
    assert plan.receive == (client_events.PlannedFile("A/decals.png", 3),)
    assert plan.send == (client_events.PlannedFile("B/b.png", 3),)
    assert list(files(ben)) == ["B/b.png"]


async def test_an_option_keeps_conflicting_liveries_whole(make_folder: MakeFolder) -> None:
    aoi = make_folder("aoi", {"T/decals.png": b"first", "T/sponsors.png": b"same"})
    ben = make_folder("ben", {"T/decals.png": b"second", "T/sponsors.png": b"same"})
    async with Server("127.0.0.1", 0, conflict_scope="livery") as server, client(server, "Aoi", aoi) as one:
        await one.sync(timeout=30)
        async with client(server, "Ben", ben) as two:
            await two.sync(timeout=30)
            await one.sync(timeout=30)
    assert files(aoi) == files(ben)
    assert files(aoi)["T/decals.png"] == b"first"
    (folder,) = {path.split("/")[0] for path in files(aoi)} - {"T"}
    assert (files(aoi)[f"{folder}/decals.png"], files(aoi)[f"{folder}/sponsors.png"]) == (b"second", b"same")


async def test_an_option_lets_only_owners_update(make_folder: MakeFolder, tmp_path: Path) -> None:
    aoi, ben = make_folder("aoi", {"T/decals.png": b"aoi"}), make_folder("ben", {"T/sponsors.png": b"ben"})
    with pytest.raises(liverysync.LiverySyncError, match="needs a data folder"):
        await Server("127.0.0.1", 0, updates="owner").__aenter__()
    async with Server("127.0.0.1", 0, updates="owner", data=tmp_path / "data") as server:
        # One user of a PC is one member, unless each driver has an identity of their own.
        aois, bens = (
            Client("127.0.0.1", server.port, liveries=folder, identity=tmp_path / f"{folder.name}.json", settle_seconds=0.05)
            for folder in (aoi, ben)
        )
        async with aois as one:
            await one.sync(timeout=30)
            async with bens as two:
                await two.sync(timeout=30)
                await one.sync(timeout=30)
    assert files(aoi) == files(ben)
    (copy,) = set(files(aoi)) - {"T/decals.png"}
    assert copy.startswith("T/sponsors__CONFLICT__")


async def test_a_client_syncs_with_the_programs_server(make_folder: MakeFolder) -> None:
    aoi, ben = make_folder("aoi", {"A/decals.png": b"aoi"}), make_folder("ben", {"B/b.png": b"ben"})
    running = await asyncio.create_subprocess_exec(
        program(), "server", "--host", "127.0.0.1", "--port", "0", "--json",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert running.stdout is not None
        listening = json.loads(await running.stdout.readline())
        aois, bens = (
            Client("127.0.0.1", listening["port"], name=name, liveries=folder, settle_seconds=0.05)
            for name, folder in [("Aoi", aoi), ("Ben", ben)]
        )
        async with aois as one, bens as two:
            while files(aoi) != files(ben):
                await asyncio.gather(one.sync(timeout=30), two.sync(timeout=30))
    finally:
        running.kill()
        await running.communicate()
    assert set(files(aoi)) == {"A/decals.png", "B/b.png"}


async def test_an_option_shares_placeholders(server: RunningServer, make_folder: MakeFolder) -> None:
    folder = make_folder("aoi", {"A/decals.json": b"{}", "A/sponsors.json": b"{}"})
    for placeholders in (False, True):
        async with Client("127.0.0.1", server.port, liveries=folder, placeholders=placeholders, steam_id="7656") as one:
            assert (await one.sync(timeout=30)).files == 2 * placeholders


async def test_only_liveries_on_the_allow_list_are_distributed(make_folder: MakeFolder, tmp_path: Path) -> None:
    allowed = tmp_path / "allowed.txt"
    allowed.write_text("A\n", "utf-8")
    aoi, ben = make_folder("aoi", {"A/a.png": b"a", "B/b.png": b"b"}), make_folder("ben")
    async with Server("127.0.0.1", 0, data=tmp_path / "league", allow_list=allowed) as server:
        async with client(server, "Aoi", aoi) as one, client(server, "Ben", ben) as two:
            await one.sync(timeout=30)
            report = await two.sync(timeout=30)
            # Both start at once, and either may be the first to be there.
            (missing,) = next(peer for peer in server.status().peers if peer.name == "Ben").missing
    assert (report.files, report.withheld) == (1, 1)
    assert missing.path == "B/b.png" and missing.bytes == 1
    assert missing.withheld is not None and "allow list" in missing.withheld
    assert (tmp_path / "league").is_dir()


async def test_the_scan_cache_is_kept_in_the_state_folder(
    server: RunningServer, make_folder: MakeFolder, tmp_path: Path
) -> None:
    folder = make_folder("aoi", {"T/decals.png": b"abc"})
    os.utime(folder / "T/decals.png", (0, 0))
    async with Client("127.0.0.1", server.port, liveries=folder, state=tmp_path / "state", identity=tmp_path / "aoi.json") as client:
        await client.sync()
    [kept] = (tmp_path / "state").rglob("*.files")
    assert b"T/decals.png" in kept.read_bytes()
    assert files(folder) == {"T/decals.png": b"abc"}


async def test_a_new_file_arrives_with_the_next_sync(server: RunningServer, make_folder: MakeFolder) -> None:
    aoi, ben = make_folder("aoi", {"A/a.png": b"a"}), make_folder("ben")
    async with client(server, "Aoi", aoi) as one, client(server, "Ben", ben) as two:
        await one.sync(timeout=30)
        await two.sync(timeout=30)
        put(aoi, "A/new.png", b"new")
        await one.sync(timeout=30)
        await two.sync(timeout=30)
        assert files(ben)["A/new.png"] == b"new"


def test_a_hundred_syncs_leave_nothing_behind(make_folder: MakeFolder) -> None:
    folders = [make_folder(f"pc{number}", {"A/a.png": b"a"}) for number in range(5)]
    syncs = [sys.executable, str(Path(__file__).with_name("hundred_syncs.py")), *map(str, folders)]
    assert subprocess.run(syncs, check=True, capture_output=True, text=True).stdout.split("\n") == ["", ""]


async def test_a_sync_lets_the_loop_run(server: RunningServer, make_folder: MakeFolder) -> None:
    folder = make_folder("aoi", {f"A/{number}.png": os.urandom(1_000_000) for number in range(30)})
    turns = 0
    async with client(server, "Aoi", folder) as one:
        syncing = asyncio.ensure_future(one.sync(timeout=30))
        while not syncing.done():
            await asyncio.sleep(0)
            turns += 1
        await syncing
    assert turns > 100


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
