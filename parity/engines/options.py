"""Options in the name of an engine: ``torch.compile:backend=aot_eager,dynamic=true``.

They are data, compared with lists of what there is; nothing of them is executed.
"""

from __future__ import annotations

from collections.abc import Mapping

from parity._util.names import did_you_mean

#: The values that an option may have, by its name.
Choices = Mapping[str, tuple[str, ...]]


def options_of(text: str, choices: Choices) -> dict[str, str]:
    """Return the options of a text. ValueError says which one is unknown.

    Examples
    --------
    >>> options_of("backend=eager,dynamic=true", {"backend": ("eager",), "dynamic": ("true",)})
    {'backend': 'eager', 'dynamic': 'true'}
    """
    found: dict[str, str] = {}
    for part in text.split(","):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if name not in choices or not equals:
            hint = did_you_mean(name[:40], choices)
            raise ValueError(f"{name[:40]!r} is no option: {hint}there are {', '.join(choices)}")
        if value not in choices[name]:
            hint = did_you_mean(value[:40], choices[name])
            known = ", ".join(choices[name])
            raise ValueError(f"{name}={value[:40]!r} is unknown: {hint}there are {known}")
        if name in found:
            raise ValueError(f"{name} is there twice")
        found[name] = value
    return found
