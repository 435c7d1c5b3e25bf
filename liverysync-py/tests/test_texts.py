"""The texts of exceptions that are the package's own: all of them in one file, and no others elsewhere."""

from __future__ import annotations

import os
import re
from pathlib import Path

from liverysync import _liverysync as native

HERE = Path(__file__).parent
SNAPSHOT = HERE / "texts.txt"

# An exception of Rust or Python whose text is written where it is made.
LITERAL = re.compile(r"""(?:new_err\(\s*(?:format!\()?|raise \w+\(f?)"[^"]* """)


def test_every_text_is_as_in_the_snapshot() -> None:
    texts = "".join(f"{text}\n" for text in native.texts())
    if os.environ.get("UPDATE_TEXTS"):
        SNAPSHOT.write_text(texts, encoding="utf-8", newline="\n")
    assert texts == SNAPSHOT.read_text(encoding="utf-8"), "UPDATE_TEXTS=1 writes the file again"


def test_no_other_module_has_a_text_of_its_own() -> None:
    assert LITERAL.search('PyValueError::new_err(format!("{name} is wrong"))')
    assert LITERAL.search('raise RuntimeError("it is wrong")')
    native_half, python_half = HERE.parent / "src", HERE.parent / "python"
    sources = [*native_half.rglob("*.rs"), *python_half.rglob("*.py")]
    assert len(sources) > 10
    found = [source.name for source in sources if LITERAL.search(source.read_text("utf-8"))]
    assert found == []
