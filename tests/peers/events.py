"""Prints a peer's events: one JSON object per line on standard output, flushed, plain ASCII."""

import asyncio
import json
import sys

TIMED_OUT = 3


def report(event, **details):
    """Prints one event."""
    print(json.dumps({"event": event, **details}), flush=True)


def unexpected(what, **details):
    """Prints that the other side did something that protocol 1 does not know."""
    report("unexpected", what=what, **details)


def run_bounded(work, max_seconds):
    """Runs a coroutine to its exit code, for at most `max_seconds`."""

    async def bounded():
        try:
            return await asyncio.wait_for(work, max_seconds)
        except asyncio.TimeoutError:
            report("timed_out", seconds=max_seconds)
            return TIMED_OUT

    try:
        sys.exit(asyncio.run(bounded()))
    except KeyboardInterrupt:
        sys.exit(130)
