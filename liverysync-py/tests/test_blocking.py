"""Client and server without asyncio."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import liverysync
from conftest import MakeFolder, files
from liverysync import _liverysync as native
from liverysync import blocking, client_events, server_events


@pytest.fixture
def server() -> Iterator[blocking.RunningServer]:
    with blocking.Server("127.0.0.1", 0) as running:
        yield running


def test_two_clients_and_a_server_run_in_one_process(make_folder: MakeFolder) -> None:
    aoi, ben = make_folder("aoi", {"A/decals.png": b"aoi"}), make_folder("ben", {"B/decals.png": b"ben"})
    with blocking.Server("127.0.0.1", 0).with_events() as (server, told):
        with blocking.Client("127.0.0.1", server.port, name="Aoi", liveries=aoi, settle_seconds=0.05) as one:
            one.sync(timeout=30)
            ben_there = blocking.Client("127.0.0.1", server.port, name="Ben", liveries=ben, settle_seconds=0.05)
            with ben_there.with_events() as (two, events):
                report = two.sync(timeout=30)
                one.sync(timeout=30)
                assert [peer.name for peer in server.status().peers] == ["Aoi", "Ben"]
    assert report.files == 2 and files(aoi) == files(ben)
    assert "A/decals.png" in [event.path for event in events if isinstance(event, client_events.Installed)]
    assert {event.name for event in told if isinstance(event, server_events.Joined)} == {"Aoi", "Ben"}


def test_waiting_for_an_event_may_time_out(server: blocking.RunningServer, make_folder: MakeFolder) -> None:
    events = server.events(timeout=0.05)
    with pytest.raises(liverysync.TimedOut, match="no event within 0.05 s"):
        next(events)
    with blocking.Client("127.0.0.1", server.port, name="Aoi", liveries=make_folder("aoi")) as one:
        events.timeout = 30
        assert isinstance(next(events), server_events.Joined)
    with pytest.raises(liverysync.Stopped):
        one.sync()


def test_a_configuration_serves_one_block_after_another() -> None:
    league = blocking.Server("127.0.0.1", 0)
    with league as first:
        with pytest.raises(RuntimeError, match="the block before is still open"):
            league.__enter__()
        assert first.status().files == 0
    with league as second:
        assert second.status().files == 0
    with pytest.raises(liverysync.Stopped):
        first.status()


def test_an_event_names_the_settings_that_the_league_does_not_have(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with blocking.Server("127.0.0.1", 0, data=data):
        pass
    server = blocking.Server(
        "127.0.0.1",
        0,
        data=data,
        extensions=["png"],
        conflict_suffix="__OTHER__",
        conflict_policy="lowest-hash",
        conflict_scope="livery",
        updates="anyone",
    )
    with server.with_events() as (_, events):
        differ = next(event for event in events if isinstance(event, server_events.SettingsDiffer))
    assert {(setting.setting, setting.given) for setting in differ.settings} == {
        ("conflict-suffix", "__OTHER__"),
        ("conflict-scope", "livery"),
        ("conflict-policy", "lowest-hash"),
        ("extensions", "png"),
        ("updates", "anyone"),
    }


def test_a_driver_renames_and_withdraws_their_liveries(make_folder: MakeFolder, tmp_path: Path) -> None:
    folder = make_folder("aoi", {"A/decals.png": b"aoi"})
    with blocking.Server("127.0.0.1", 0, data=tmp_path / "data") as server:
        client = blocking.Client("127.0.0.1", server.port, liveries=folder, identity=tmp_path / "key", settle_seconds=0.05)
        with client as one:
            one.sync(timeout=30)
            assert client.rename("A", "B", dry_run=True) == liverysync.Acted(placed=1, retired=1)
            assert list(files(folder)) == ["A/decals.png"]
            assert client.rename("A", "B") == liverysync.Acted(placed=1, retired=1)
            # The other link may hear of it a moment later. If it never does, the time limit of the test ends this.
            while list(files(folder)) != ["B/decals.png"]:
                one.sync(timeout=30)
            with pytest.raises(liverysync.ActRefused, match="A"):
                client.withdraw("A")
            assert client.withdraw("B") == liverysync.Acted(placed=0, retired=1)
            while files(folder):
                one.sync(timeout=30)


def test_waiting_lets_other_threads_work(make_folder: MakeFolder) -> None:
    got: list[server_events.ServerEvent] = []
    with blocking.Server("127.0.0.1", 0).with_events() as (server, events):
        reader = threading.Thread(target=lambda: got.extend(events))
        # A thread that kept the GIL while it waits would stop everything here.
        reader.start()
        with blocking.Client("127.0.0.1", server.port, name="Aoi", liveries=make_folder("aoi")) as one:
            one.sync(timeout=30)
    reader.join(timeout=30)
    assert not reader.is_alive()


@pytest.mark.skipif(os.name != "posix", reason="sends itself a signal")
def test_control_c_ends_a_wait(server: blocking.RunningServer) -> None:
    events = server.events()
    timer = threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        next(events)
    timer.join()


@pytest.mark.skipif(os.name != "posix", reason="sends itself a signal")
def test_control_c_ends_a_start(tmp_path: Path) -> None:
    slow = tmp_path / "allowed.txt"
    os.mkfifo(slow)
    server = blocking.Server("127.0.0.1", 0, allow_list=slow)

    def interrupt() -> None:
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)
        # Now the start goes on. A server that runs keeps the list when its file is gone.
        with slow.open("w") as pipe:
            slow.unlink()
            pipe.write("A\n")

    other = threading.Thread(target=interrupt)
    other.start()
    with pytest.raises(KeyboardInterrupt):
        server.__enter__()
    other.join()
    # It may start even so; then it stops, for nobody has it.
    while native.running_count() > 0:
        time.sleep(0.01)
    slow.write_text("A\n")
    with server as running:
        assert running.status().files == 0
