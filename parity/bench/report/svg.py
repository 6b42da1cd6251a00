"""Adapt SVG of Matplotlib to a page: unique ids, titles, and colours of the page's scheme."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
#: Placeholder colours for roles, which ``recolored`` replaces by CSS variables.
TEXT, AXIS, GRID = "#010101", "#010102", "#010103"
_ROLES = {TEXT: "text", AXIS: "axis", GRID: "grid"}
#: Pairs for the light and the dark scheme, in the order of engines: after Okabe and Ito, for
#: readers with colour blindness, with a contrast of 3:1 or more against the backgrounds.
SERIES = (
    ("#0072b2", "#56b4e9"),
    ("#d55e00", "#ff8c42"),
    ("#00815c", "#2fd6a6"),
    ("#b0568c", "#e29bc5"),
    ("#8a6d00", "#f0e442"),
    ("#5a5a5a", "#c8c8c8"),
    ("#4b3bb0", "#a99cff"),
    ("#a11d1d", "#ff9d9d"),
)
_BASE = {
    "background": ("#ffffff", "#16181d"),
    "text": ("#1b1d21", "#e8eaed"),
    "axis": ("#5c6370", "#9aa1ad"),
    "grid": ("#d5d9e0", "#3a3f4a"),
}
_FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"


def series_color(number: int) -> str:
    """The placeholder colour of an engine by its index."""
    return f"#0202{number % len(SERIES):02x}"


def variables(scheme: int) -> str:
    """CSS variables of all roles for scheme 0 (light) or 1 (dark)."""
    series = {f"series-{i}": pair for i, pair in enumerate(SERIES)}
    return " ".join(f"--{name}: {pair[scheme]};" for name, pair in {**_BASE, **series}.items())


def recolored(drawing: str, name: str, title: str, description: str) -> str:
    """An inline SVG with CSS variables for colours, unique ids, a title and a description."""
    root = ET.fromstring(drawing)
    for unwanted in ("metadata", "defs"):
        for parent in list(root.iter()):
            for child in parent.findall(f"{{{SVG}}}{unwanted}"):
                if unwanted == "metadata" or child.find(f"{{{SVG}}}style") is not None:
                    parent.remove(child)
    for element in root.iter():
        for attribute, value in list(element.attrib.items()):
            element.set(attribute, _attribute(attribute, value, name))
    for size in ("width", "height"):
        root.attrib.pop(size, None)
    root.set("role", "img")
    root.set("aria-labelledby", f"{name}-title {name}-desc")
    for index, (tag, text) in enumerate((("title", title), ("desc", description))):
        element = ET.Element(f"{{{SVG}}}{tag}", {"id": f"{name}-{tag}"})
        element.text = text
        root.insert(index, element)
    ET.register_namespace("", SVG)
    ET.register_namespace("xlink", XLINK)
    return ET.tostring(root, encoding="unicode")


def standalone(drawing: str) -> str:
    """An inline SVG as a separate file, with a background, in the reader's colour scheme."""
    head, _, rest = drawing.partition(">")
    wide, high = re.findall(r'viewBox="0 0 ([0-9.]+) ([0-9.]+)"', head)[0]
    style = (
        f"<style>svg {{ {variables(0)} }} "
        f"@media (prefers-color-scheme: dark) {{ svg {{ {variables(1)} }} }}</style>"
    )
    back = '<rect width="100%" height="100%" rx="8" style="fill: var(--background)"/>'
    title = rest.find("</desc>") + len("</desc>")
    return f'{head} width="{wide}" height="{high}">{rest[:title]}{style}{back}{rest[title:]}\n'


def _attribute(attribute: str, value: str, name: str) -> str:
    """An attribute with ids that start with ``name``, and with variables for colours."""
    if attribute == "id":
        return f"{name}-{value}"
    if attribute == f"{{{XLINK}}}href" and value.startswith("#"):
        return f"#{name}-{value[1:]}"
    if attribute == "clip-path":
        return value.replace("url(#", f"url(#{name}-")
    if attribute == "style":
        value = re.sub(r"font-family: [^;]*", f"font-family: {_FONT}", value)
        return re.sub(
            r"#0[12]0[12]([0-9a-f]{2})",
            lambda color: f"var(--{_ROLES.get(color[0], f'series-{int(color[1], 16)}')})",
            value,
        )
    return value
