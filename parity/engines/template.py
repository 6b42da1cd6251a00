"""Template of an adapter, which ``parity adapter NEW.py`` writes for users to fill in."""

from __future__ import annotations

from pathlib import Path

from parity._util.errors import UsageError
from parity._util.escape import docstring, one_line
from parity.engines.template_operations import operations_in_comments
from parity.engines.template_styles import STYLES


def write_adapter(file: Path, style: str = "") -> str:
    """Write the template of an adapter to a new file, and return the next steps for the user.

    ``style`` is a name of ``STYLES``. Raises UsageError if the file exists already, is not a Python
    file or cannot be written.
    """
    chosen = STYLES[style]
    if file.suffix != ".py":
        raise UsageError(f"{file}: the name of an adapter must end with .py")
    # The name may not end a string literal.
    name = "".join(c for c in file.stem if c.isalnum() or c in "-_. ") or "mine"
    text = chosen.text.format(
        name=name,
        file=docstring(one_line(file.name)),
        ops=operations_in_comments(chosen.operations()),
    )
    created = False
    try:
        with file.open("x", encoding="utf-8") as stream:
            created = True
            stream.write(text)
    except FileExistsError:
        raise UsageError(f"{file} exists already and was not changed") from None
    except OSError as error:
        if created:  # an incomplete file would block the next attempt
            file.unlink()
        raise UsageError(f"{file} cannot be written: {error.strerror}") from None
    return (
        f"{one_line(file)} written: fill in the {chosen.lines} marked lines, then\n"
        f"    parity check --engine {one_line(file)}:Mine"
    )
