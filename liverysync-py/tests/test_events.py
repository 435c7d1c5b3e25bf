"""Events as classes, compared with docs/json.md."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from types import ModuleType
from typing import NoReturn, get_args

import pytest

import liverysync
from liverysync import client_events, server_events

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "json.md"


def documented(heading: str) -> dict[str, list[str]]:
    """The table below a heading: names of events, names of their fields."""
    sections = DOCUMENTATION.read_text("utf-8").split("\n## ")
    (section,) = (section for section in sections if section.startswith(heading + "\n"))
    rows = (line.split("|") for line in section.splitlines() if line.startswith("| `"))
    return {row[1].strip(" `"): re.findall(r"`(\w+)`", row[2]) for row in rows}


def classes(module: ModuleType) -> dict[str, list[str]]:
    """The event classes of a module: names of events, names of their fields."""
    known = get_args(module._Known)
    for cls in known:
        assert cls.__name__ in module.__all__
        assert cls.__doc__ and cls.__dataclass_params__.frozen
    return {
        re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower(): [field.name for field in dataclasses.fields(cls)]
        for cls in known
    }


def test_each_event_of_a_client_has_its_class() -> None:
    assert classes(client_events) == documented("Client")


def test_each_event_of_a_server_has_its_class() -> None:
    events = documented("Server")
    # Printed by the command before the server has anything to tell; `RunningServer.port` says it.
    assert events.pop("listening") == ["address", "port"]
    assert classes(server_events) == events


def test_an_event_is_made_from_its_json() -> None:
    event = client_events.decode('{"event":"in_sync","liveries":1,"files":3,"bytes":7,"conflicts":["a.png"],"withheld":0,"outstanding":[],"certain":true}')
    match event:
        case client_events.InSync(files=files, conflicts=conflicts):
            assert (files, conflicts) == (3, ("a.png",))
        case _:
            pytest.fail(f"{event} is another")
    plan = client_events.decode(
        json.dumps(
            {
                "event": "plan",
                "liveries": 1,
                "files": 3,
                "bytes": 4,
                "receive": [{"path": "a.png", "bytes": 1, "new": 2}],
                "conflicts": [{"path": "b.png", "kept_as": "c.png"}],
                "send": [],
                "refuse": [{"path": "con.png", "reason": "no"}],
                "outstanding": [{"kind": "not_installable", "path": "g.png", "reason": "a link"}],
                "failed": [],
                "retire": [],
                "unavailable": [],
                "undistributed": [{"path": "d.png", "bytes": 5}],
                "unshared": [{"path": "i.png", "bytes": 6}],
                "only": "source",
                "open_conflicts": [
                    {
                        "path": "e.png",
                        "copy": "f.png",
                        "yours": "both",
                        "sha256": "0" * 64,
                        "free": False,
                        "other": "Aoi",
                    }
                ],
                "held": [{"livery": "h", "name": "Aoi", "yours": False, "since": None, "reason": "frozen"}],
                "damaged": [{"path": "i.png", "reason": "it is empty"}],
            }
        )
    )
    assert plan == client_events.Plan(
        liveries=1,
        files=3,
        bytes=4,
        receive=(client_events.PlannedFile("a.png", 1),),
        conflicts=(client_events.PlannedConflict("b.png", "c.png"),),
        send=(),
        refuse=(client_events.PlannedRefusal("con.png", "no"),),
        outstanding=(client_events.Outstanding("not_installable", "g.png", "a link"),),
        failed=(),
        retire=(),
        unavailable=(),
        undistributed=(client_events.PlannedFile("d.png", 5),),
        unshared=(client_events.PlannedFile("i.png", 6),),
        only="source",
        open_conflicts=(client_events.OpenConflict("e.png", "f.png", "both", "0" * 64, free=False, other="Aoi"),),
        held=(client_events.PlannedHold("h", "Aoi", False, None, "frozen"),),
        damaged=(client_events.PlannedRefusal("i.png", "it is empty"),),
    )
    left_out = [{"path": "x", "kind": "name", "reason": "no"}]
    told = server_events.decode(
        json.dumps({"event": "manifest", "name": "Aoi", "liveries": 1, "files": 1, "bytes": 2, "left_out": left_out})
    )
    assert isinstance(told, server_events.Manifest)
    assert told.left_out == (liverysync.Skipped("x", "name", "no"),)


def test_unknown_events_and_fields_are_accepted() -> None:
    assert client_events.decode('{"event":"sneezed","loudly":true}') == client_events.UnknownEvent(
        "sneezed", {"loudly": True}
    )
    assert server_events.decode('{"event":"source_silent","name":"Aoi","files":1,"mood":"bad"}') == (
        server_events.SourceSilent(name="Aoi", files=1)
    )


def test_matching_is_exhaustive() -> None:
    """mypy checks it: a class that is left out here is an error."""

    def never(event: NoReturn) -> NoReturn:
        raise AssertionError(event)

    def about(event: liverysync.ServerEvent) -> str:
        match event:
            case server_events.Joined() | server_events.Left() | server_events.Manifest() | server_events.SourceSilent():
                return event.name
            case server_events.Conflict() | server_events.Damaged() | server_events.Refused() | server_events.Withheld():
                return event.path
            case server_events.SourceFault() | server_events.StoreFault() | server_events.TargetFault():
                return event.reason
            case server_events.AllowListFault() | server_events.DatabaseFault():
                return event.reason
            case server_events.SessionBegan() | server_events.SessionEnded():
                return event.target or "the store"
            case server_events.AllowListUnmatched() | server_events.OwnerActed():
                return ", ".join(event.names)
            case server_events.Finding() | server_events.Held() | server_events.OwnerChanged():
                return event.livery
            case server_events.SettingsDiffer():
                return ", ".join(one.setting for one in event.settings)
            case server_events.InSync() | server_events.Missed() | server_events.UnknownEvent():
                return ""
            case _:
                never(event)

    assert about(server_events.Left(peer=1, name="Aoi", reason="gone")) == "Aoi"
