"""The scan and the pure decisions."""

from __future__ import annotations

import asyncio
import copy
import errno
import hashlib
import json
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import get_args

import pytest

import liverysync
from conftest import MakeFolder, program
from liverysync import Conflict, Entry, Manifest, Policy, Scope, UnionEntry
from liverysync import _liverysync as native

SHA = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def entry(path: str, content: bytes = b"abc", mtime: float | None = None) -> Entry:
    return Entry(path, len(content), sha256(content), mtime)


def manifest(*files: tuple[str, bytes]) -> Manifest:
    return Manifest([entry(path, content) for path, content in files])


def test_a_scan_lists_what_is_shared_and_why_the_rest_is_not(make_folder: MakeFolder) -> None:
    folder = make_folder(
        "Liveries",
        {"T/decals.png": b"abc", "T/a.json": b"{}", "T/decals_0.dds": b"cache", "T/run.exe": b"no"},
    )
    scanned = liverysync.scan(folder)
    assert [found.path for found in scanned] == ["T/a.json", "T/decals.png"]
    assert len(scanned) == 2 and scanned.total_bytes == 5
    decals = scanned.entries[1]
    assert (decals.bytes, decals.sha256) == (3, SHA)
    assert decals.mtime == pytest.approx((folder / "T/decals.png").stat().st_mtime, abs=1e-6)
    assert {(skipped.path, skipped.kind) for skipped in scanned.skipped} == {
        ("T/decals_0.dds", "cache"),
        ("T/run.exe", "extension"),
    }
    assert all(skipped.reason for skipped in scanned.skipped)
    assert len(liverysync.scan(str(folder), extensions={".JSON"})) == 1
    assert len(liverysync.scan(folder, derived_dds=True)) == 3
    assert "too_many" in {skipped.kind for skipped in liverysync.scan(folder, max_entries=1).skipped}
    assert liverysync.scan(folder, max_file_size=2).total_bytes == 2
    with pytest.raises(ValueError, match="0 does not mean unlimited"):
        liverysync.scan(folder, max_entries=0)


def test_the_manifest_hash_is_that_of_protocol_1() -> None:
    made = manifest(("T/decals.png", b"abc"))
    listed = f'[{{"rel_path":"T/decals.png","size":3,"sha256":"{SHA}"}}]'
    assert made.hash == sha256(listed.encode())


def test_manifests_are_equal_if_they_have_the_same_files() -> None:
    one = Manifest([entry("a.png", mtime=1.0), entry("b.png", b"b")])
    two = Manifest([entry("b.png", b"b"), entry("a.png", mtime=2.0)])
    assert one == two and hash(one) == hash(two) and one.hash == two.hash
    assert one != manifest(("a.png", b"abc")) and one != manifest(("A.png", b"abc"), ("b.png", b"b"))
    assert one != "something else"
    assert list(one) == list(one.entries) and one.entries is one.entries
    assert entry("b.png", b"b") in one
    assert repr(one).startswith("<Manifest: 2 files, 4 bytes, hash ")


def test_entries_are_values() -> None:
    made = entry("a.png", mtime=1.5)
    assert made == entry("a.png", mtime=1.5) and hash(made) == hash(entry("a.png", mtime=1.5))
    assert made != entry("a.png")
    assert repr(made) == f"Entry(path='a.png', bytes=3, sha256='{SHA}', mtime=1.5)"
    match made:
        case Entry(path, count, sha, mtime):
            assert (path, count, sha, mtime) == ("a.png", 3, SHA, 1.5)
        case _:
            pytest.fail("an entry can be taken apart")
    with pytest.raises(AttributeError):
        setattr(made, "path", "b.png")


def test_entries_can_be_pickled_and_copied() -> None:
    for made in (entry("T/Décals.png", mtime=1.5), Entry("T/model.ABC", 3, SHA, extensions=["abc"])):
        again = pickle.loads(pickle.dumps(made))
        assert again == made and repr(again) == repr(made)
        assert copy.copy(made) == made


def test_entries_that_collide_are_refused() -> None:
    for second in ["T/DECALS.png", "T/decals.png/x.png"]:
        with pytest.raises(liverysync.InvalidPath) as caught:
            manifest(("T/decals.png", b"abc"), (second, b"abc"))
        assert caught.value.path == second
        assert "T/decals.png" in caught.value.reason


def test_diff_says_what_is_missing_different_and_extra() -> None:
    have = manifest(("a.png", b"a"), ("B.png", b"mine"), ("c.png", b"c"))
    want = manifest(("A.png", b"a"), ("b.png", b"theirs"), ("d.png", b"d"))
    found = liverysync.diff(have=have, want=want)
    assert found
    assert found.missing == (entry("d.png", b"d"),)
    assert found.different == ((entry("B.png", b"mine"), entry("b.png", b"theirs")),)
    assert found.extra == (entry("c.png", b"c"),)
    assert not liverysync.diff(have, have)


def test_text_of_other_people_is_made_safe_to_show() -> None:
    assert liverysync.escape("Zoë \x1b[2J\n\u202e") == "Zoë \\u{1b}[2J\\u{a}\\u{202e}"


def test_merge_gives_both_contents_a_name() -> None:
    one, two = manifest(("T/d.png", b"1"), ("only.png", b"x")), manifest(("T/d.png", b"2"))
    union = liverysync.merge([one, two, two])
    conflict_path = f"T/d__CONFLICT__{sha256(b'2')[:8]}.png"
    assert union.conflicts == (Conflict(1, "T/d.png", conflict_path), Conflict(2, "T/d.png", conflict_path))
    assert union.entries == (
        UnionEntry("only.png", 1, sha256(b"x"), None, ((0, "only.png"),)),
        UnionEntry("T/d.png", 1, sha256(b"1"), None, ((0, "T/d.png"),)),
        UnionEntry(conflict_path, 1, sha256(b"2"), None, ((1, "T/d.png"), (2, "T/d.png"))),
    )
    assert union.refused == ()
    assert [missing.path for missing in liverysync.diff(two, union.manifest).missing] == [
        "only.png",
        conflict_path,
    ]
    assert liverysync.merge([]).entries == ()
    assert union.hash != union.manifest.hash


def test_a_policy_decides_who_keeps_the_name() -> None:
    contents = sorted([b"1", b"2"], key=sha256)
    late = Manifest([entry("d.png", contents[1], 1.0)]), Manifest([entry("d.png", contents[0], 2.0)])
    keeps = {
        policy: next([member for member, _ in found.holders] for found in liverysync.merge(late, policy=policy).entries if found.path == "d.png")
        for policy in ("established", "lowest-hash", "newest-mtime")
    }
    assert keeps == {"established": [0], "lowest-hash": [1], "newest-mtime": [1]}
    assert set(keeps) == set(native.POLICIES) == set(get_args(Policy))
    with pytest.raises(ValueError, match="there are: established, lowest-hash, newest-mtime"):
        liverysync.merge(late, policy="loudest")  # type: ignore[arg-type]


def test_a_scope_decides_what_gets_a_conflict_name() -> None:
    one = manifest(("T/d.png", b"1"), ("T/s.png", b"s"))
    two = manifest(("T/d.png", b"2"), ("T/s.png", b"s"), ("T/more.png", b"m"))
    added = {scope: {found.path for found in liverysync.merge([one, two], scope=scope).entries} - {"T/d.png", "T/s.png"} for scope in get_args(Scope)}
    assert added["file"] == {"T/more.png", f"T/d__CONFLICT__{sha256(b'2')[:8]}.png"}
    (folder,) = {path.split("/")[0] for path in added["livery"]}
    assert folder.startswith("T__CONFLICT__")
    assert added["livery"] == {f"{folder}/{name}" for name in ("d.png", "s.png", "more.png")}
    assert set(added) == set(native.SCOPES)
    with pytest.raises(ValueError, match="there are: file, livery"):
        liverysync.merge([one], scope="folder")  # type: ignore[arg-type]


def test_a_file_that_cannot_join_the_union_is_refused() -> None:
    file, folder = manifest(("x.png", b"1")), manifest(("x.png/y.png", b"2"))
    (refused,) = liverysync.merge([file, folder]).refused
    assert (refused.peer, refused.path) == (1, "x.png/y.png")
    assert "x.png is a file" in refused.reason


def test_a_conflict_name_has_the_suffix_and_eight_digits() -> None:
    name = liverysync.conflict_name
    assert name("T/decals.png", SHA, taken=()) == "T/decals__CONFLICT__ba7816bf.png"
    assert name("T/decals.png", SHA.upper(), ["t/DECALS__conflict__ba7816bf.png"]) == "T/decals__CONFLICT__ba7816bf_1.png"
    assert name("T/decals.png", SHA, suffix="-other-") == "T/decals-other-ba7816bf.png"
    assert name("T/model.abc", SHA, extensions=["abc"]) == "T/model__CONFLICT__ba7816bf.abc"
    plain = "T/decals__CONFLICT__ba7816bf.png"
    assert name("T/decals.png", SHA, manifest((plain, b"other"))) == "T/decals__CONFLICT__ba7816bf_1.png"
    assert name("T/decals.png", SHA, manifest((plain, b"abc"))) == plain
    with pytest.raises(ValueError, match="64 hex digits"):
        name("T/decals.png", "ba7816bf")
    with pytest.raises(ValueError, match="suffix"):
        name("T/decals.png", SHA, suffix="a/b")
    with pytest.raises(TypeError, match="not one text"):
        name("T/decals.png", SHA, taken="T/decals.png")


def test_paths_are_checked() -> None:
    liverysync.check_path("#2/Décals.png")
    liverysync.check_path("T/model.abc", extensions=["abc"])
    for path, reason in [
        ("../x.png", "`.` or `..`"),
        ("T/con.png", "device name"),
        ("T/x.exe", "not on the list of extensions"),
        ("T/\u202egnp.png", "reading direction"),
    ]:
        with pytest.raises(liverysync.InvalidPath, match=reason) as caught:
            liverysync.check_path(path)
        error = caught.value
        assert isinstance(error, ValueError) and isinstance(error, liverysync.LiverySyncError)
        assert error.path == path and error.reason in str(error)
        assert str(error).isprintable()
        again = pickle.loads(pickle.dumps(error))
        assert (again.path, again.reason) == (error.path, error.reason)


def test_findings_are_those_of_the_program(make_folder: MakeFolder, tmp_path: Path) -> None:
    folder = make_folder("L", {"New folder/decals.png": b"abc", "T/._decals.png": b"", "T/decals.txt": b"abc"})
    rules = tmp_path / "rules.toml"
    rules.write_text("max-file-bytes = 2\n")
    for options in [(), ("--rules", str(rules))]:
        said = subprocess.run([program(), "lint", folder, "--json", *options], capture_output=True, check=False)
        found = liverysync.lint(folder, rules=rules if options else None)
        assert [asdict(finding) for finding in found] == json.loads(said.stdout)["findings"]
        assert ("file-too-large" in {finding.kind for finding in found}) == bool(options)
    assert liverysync.lint(make_folder("none", {})) == ()


def test_rules_that_cannot_be_used_are_an_error(make_folder: MakeFolder, tmp_path: Path) -> None:
    folder, rules = make_folder("L", {}), tmp_path / "rules.toml"
    uses: list[Callable[[], object]] = [
        lambda: liverysync.lint(folder, rules=rules),
        lambda: liverysync.Client("h", liveries=folder, lint_rules=rules),
        lambda: liverysync.blocking.Client("h", liveries=folder, lint_rules=rules),
    ]
    for use in uses:
        rules.unlink(missing_ok=True)
        with pytest.raises(FileNotFoundError) as missing:
            use()
        assert missing.value.filename == str(rules)
        rules.write_text("names = 3\n")
        with pytest.raises(ValueError, match="line 1, `names`"):
            use()


@pytest.mark.parametrize("extensions", [[], ["p/ng"], [""]])
def test_invalid_extensions_are_refused(extensions: list[str]) -> None:
    with pytest.raises(ValueError):
        liverysync.check_path("a.png", extensions)


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(liverysync.FolderError) as caught:
        liverysync.scan(tmp_path / "nowhere")
    assert isinstance(caught.value, OSError)
    error = caught.value
    assert error.path == tmp_path / "nowhere"
    assert (error.errno, error.filename) == (errno.ENOENT, str(tmp_path / "nowhere"))
    assert error.strerror == error.reason and error.reason in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert (again.errno, again.reason, again.path) == (error.errno, error.reason, error.path)
    (tmp_path / "file").touch()
    with pytest.raises(liverysync.FolderError) as caught:
        liverysync.scan(tmp_path / "file")
    assert caught.value.errno is not None


def test_without_the_game_there_is_no_liveries_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with pytest.raises(liverysync.FolderError, match="^cannot find the game's liveries folder") as caught:
        liverysync.liveries_folder()
    assert (caught.value.errno, caught.value.filename, caught.value.path) == (errno.ENOENT, None, None)


def test_decisions_let_other_threads_work() -> None:
    entries = [Entry(f"T{number}/decals.png", 3, SHA) for number in range(20_000)]
    taken = [f"T{number}/decals.png" for number in range(20_000)]
    one, two = Manifest(entries), Manifest(entries)
    decisions: dict[str, Callable[[], object]] = {
        "hash": lambda: one.hash,
        "__hash__": lambda: hash(two),
        "__eq__": lambda: all(one == two for _ in range(50)),
        "conflict_name": lambda: liverysync.conflict_name("T/decals.png", SHA, taken),
        "merge": lambda: native.merge([one, two], "established", "file", None, None),
    }
    turns, done = 0, False

    def count() -> None:
        nonlocal turns
        while not done:
            time.sleep(0)
            turns += 1

    before = sys.getswitchinterval()
    other = threading.Thread(target=count)
    gained = {}
    # The other thread has no turn then but while the GIL is let go of.
    sys.setswitchinterval(60)
    try:
        other.start()
        for name, decide in decisions.items():
            time.sleep(0.01)
            began = turns
            decide()
            gained[name] = turns - began
    finally:
        done = True
        sys.setswitchinterval(before)
        other.join()
    assert all(gained.values()), gained


async def test_a_scan_lets_other_threads_work(make_folder: MakeFolder) -> None:
    folder = make_folder("big", {f"T/{number}.png": bytes(200_000) for number in range(100)})
    running = threading.Event()
    turns = 0

    def scan() -> Manifest:
        running.set()
        return liverysync.scan(folder)

    scanning = asyncio.create_task(asyncio.to_thread(scan))
    while not scanning.done():
        await asyncio.sleep(0)
        turns += running.is_set()
    assert len(await scanning) == 100
    # A scan that kept the GIL would leave next to no turns.
    assert turns > 20
