"""What has a name in parity, and what each name means: ``parity list`` and ``parity explain``.

The words stand in the tables themselves: operations, quirks, defects, probes, engines, profiles and
kinds of findings. Right numbers come from the exact evaluation, so that PyTorch is not imported
where it is not needed.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any, NamedTuple

from parity._util import escape as escaping
from parity._util.names import named
from parity.diagnose.causes import category_of
from parity.diagnose.defects import DEFECTS
from parity.diagnose.defects.engine import TapeEngine
from parity.engines.base import Engine
from parity.engines.builtin import BUILT_IN, DESCRIPTIONS, requirements
from parity.engines.execute import execute
from parity.engines.load import load_engine
from parity.engines.quirks.table import QUIRKS, with_quirks
from parity.engines.template_operations import call_of, type_of
from parity.engines.trace import Trace
from parity.generate.decoder import Decoder
from parity.generate.profiles import PROFILES
from parity.language import program as pr
from parity.language.draws import Draw, draw
from parity.language.operation import OPERANDS
from parity.language.shapes import size
from parity.language.table import OPS
from parity.language.text_format import program_from_text
from parity.oracle.exact.engine import Exact
from parity.oracle.finding import KINDS, Finding, Kind
from parity.oracle.probes import PROBES_BY_NAME
from parity.oracle.side_by_side import SideBySide, side_by_side

#: The heading of what PyTorch gives.
_RIGHT = "PyTorch"
#: A defect or probe that shows each kind of finding, where there is one.
_OF_KIND: Mapping[Kind, str] = {
    Kind.GRADIENT: "overwrite",
    Kind.MISSING_GRADIENT: "root-leaf-ignored",
    Kind.SPURIOUS_GRADIENT: "constant-gets-gradient",
    Kind.ACCUMULATION: "second-backward-overwrites",
    Kind.CLEAR: "clear-does-nothing",
    Kind.ZERO: "zero-does-nothing",
    Kind.ALIAS: "siblings-share",
    Kind.DTYPE: "float32-widened",
    Kind.SHAPE: "broadcasting-not-undone",
    Kind.SECOND_ORDER: "first-order-again",
    Kind.EXCEPTION: "root-leaf-raises",
    Kind.NO_EXCEPTION: "graph-kept",
    Kind.DEPTH: "recursion",
    Kind.TIME: "one-pass-a-path",
    Kind.FLAKY: "every-fiftieth-backward",
}
#: Repositories on GitHub of the projects in which defects were seen.
_REPOSITORIES = {
    "PyTorch": "pytorch/pytorch",
    "tinygrad": "tinygrad/tinygrad",
    "micrograd": "karpathy/micrograd",
    "HIPS autograd": "HIPS/autograd",
    "jax": "jax-ml/jax",
    "OneFlow": "Oneflow-Inc/oneflow",
    "candle": "huggingface/candle",
    "warp": "NVIDIA/warp",
    "nnabla": "sony/nnabla",
}
#: Headings of facts that are code or names.
_SEEN = "seen in"
_CODE = ("typical code", "as an engine", "declared by")
#: The number of elements that operands of an example have, if there is a choice.
_SHOWN = 4
#: Draws of which the shortest program with so many statements is the example of a profile.
_DRAWN, _FEWEST = 40, 4


@dataclass(frozen=True)
class Explanation:
    """What a name means. ``str`` of it is what ``parity explain`` prints.

    Attributes
    ----------
    category
        "defect", "quirk", "finding kind", "probe", "profile", "operation" or "engine".
    name, sentence
        The name, and what it means in one sentence without a full stop.
    facts
        What else there is to say, each with its heading.
    example
        A program, or code, that shows it; "" if there is none.
    numbers
        What the program gives with it and without it, if that differs.
    """

    category: str
    name: str
    sentence: str
    facts: tuple[tuple[str, str], ...] = ()
    example: str = ""
    numbers: SideBySide | None = None

    def __str__(self) -> str:
        lines = [f"{self.name} ({self.category}): {self.sentence}"]
        shown = str(self.numbers) if self.numbers else self.example
        lines += ["", *(f"    {line}".rstrip() for line in shown.splitlines()), ""] if shown else []
        width = max((len(heading) for heading, _ in self.facts), default=0)
        lines += [f"  {heading + ':':{width + 1}} {text}" for heading, text in self.facts]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        example = f"<pre>{escape(self.example)}</pre>" if self.example else ""
        shown = self.numbers.html() if self.numbers else example
        rows = "".join(
            f"<tr><th>{escape(heading)}</th><td><code>{escape(text)}</code></td></tr>"
            for heading, text in self.facts
        )
        title = f"<p><b>{escape(self.name)}</b> ({self.category}): {escape(self.sentence)}</p>"
        return f"{title}{shown}<table>{rows}</table>"

    def markdown(self) -> Iterator[str]:
        """Yield the lines of a section of a page."""
        yield from (f"### `{self.name}`", "", f"{_sentence(self.sentence)}", "")
        if shown := str(self.numbers) if self.numbers else self.example:
            yield from (*escaping.block(shown), "")
        for heading, text in self.facts:
            shown = escaping.code(text) if heading in _CODE else escaping.markdown(text)
            yield f"- {heading}: {_links(text) if heading == _SEEN else shown}"
        yield ""

    def to_json(self) -> dict[str, Any]:
        """Return the explanation as JSON data."""
        data = dataclasses.asdict(self)
        data["facts"] = dict(self.facts)
        data["numbers"] = str(self.numbers) if self.numbers else ""
        return data


def _links(text: str) -> str:
    """Return where a defect was seen, with links to issues of known projects."""
    linked = []
    for one in text.split("; "):
        project, _, number = one.partition("#")
        place = _REPOSITORIES.get(project)
        url = f"https://github.com/{place}/issues/{number}"
        linked.append(f"[{one}]({url})" if place and number else escaping.markdown(one))
    return "; ".join(linked)


def _sentence(text: str) -> str:
    return f"{escaping.markdown(text[:1].upper() + text[1:])}."


class Explanations(tuple[Explanation, ...]):
    """What a name means; it may be, for example, a profile and a kind of findings."""

    def __str__(self) -> str:
        return "\n\n".join(map(str, self))

    def _repr_html_(self) -> str:
        return "<hr>".join(one._repr_html_() for one in self)


class Category(NamedTuple):
    """A table of names."""

    singular: str
    #: The sentence of each name.
    sentences: Callable[[], Mapping[str, str]]
    explain: Callable[[str], Explanation]


def explain(name: str) -> Explanations:
    """Say what a name of parity means: ``parity.explain``.

    Parameters
    ----------
    name
        The name of an operation, quirk, defect, probe, engine, profile or kind of findings.

    Returns
    -------
    Explanations
        A tuple of ``Explanation``; ``str()`` of it is the text that ``parity explain`` prints.

    Raises
    ------
    UsageError
        If nothing has this name; the message says which names are like it.

    Examples
    --------
    >>> import parity
    >>> (found,) = parity.explain("keeps-graphs")
    >>> found.category, found.facts[0]
    ('quirk', ('declared by', 'quirks = frozenset({"keeps-graphs"})'))
    """
    having = {n: None for category in CATEGORIES.values() for n in category.sentences()}
    named(name, having, "operation, quirk, defect, probe, engine, profile or kind of findings")
    categories = (c for c in CATEGORIES.values() if name in c.sentences())
    return Explanations(category.explain(name) for category in categories)


def numbers_of(
    program: pr.Program, names: tuple[str, str], engine: Engine, reference: Engine
) -> SideBySide:
    """Return what two engines give for a program."""
    return side_by_side(program, names, execute(program, engine), execute(program, reference))


def _right(program: pr.Program) -> Engine:
    """Return an engine that gives PyTorch's numbers: PyTorch where there is no exact rule."""
    exact = Exact()
    used = {s.op for s in program.statements if isinstance(s, pr.Apply)}
    return exact if used <= set(exact.ops) else load_engine("torch")


# Each category.


def _operation(name: str) -> Explanation:
    op = OPS[name]
    domains = op.domains(len(op.template.operands))
    facts = [
        ("operands", f"shapes {op.operands!r} (docs/operations.md says what the letters mean)")
    ]
    facts += [
        (f"numbers of {letter}", domain.words)
        for letter, domain in zip(OPERANDS, domains, strict=False)
        if domain.words != "any number"
    ]
    facts += [(f"attribute {key}", type_of(op, key)) for key in op.kinds]
    facts += [("no derivative", op.kinks)] if op.kinks else []
    facts.append(("in an adapter", call_of(op)))
    program = _example_of_operation(name)
    if program is None:
        return Explanation("operation", name, _computes(name), tuple(facts))
    numbers = side_by_side(program, (_RIGHT, ""), execute(program, _right(program)), Trace())
    return Explanation("operation", name, _computes(name), tuple(facts), str(program), numbers)


def _computes(name: str) -> str:
    text = OPS[name].torch
    return "an operation that PyTorch does not have" if text is None else f"computes {text}"


def _example_of_operation(name: str) -> pr.Program | None:
    """Return a program that applies an operation to numbers of its domain."""
    draws = (draw(OPS[name], random.Random(i), grid=False) for i in range(_DRAWN))
    drawn = [one for one in draws if one is not None]
    if not drawn:
        return None
    small = min(drawn, key=lambda one: abs(sum(len(leaf.values) for leaf in one.leaves) - _SHOWN))
    leaves = tuple(_rounded(small))
    applied = pr.Program(leaves, (pr.Apply(name, tuple(range(len(leaves))), small.attrs),))
    root = len(leaves)
    info = applied.infos[root]
    if not info.requires_grad:
        return applied
    count = size(info.shape)
    gradient = None if count == 1 else pr.Constant(info.shape, (1.0,) * count, info.dtype)
    return dataclasses.replace(
        applied, statements=(*applied.statements, pr.Backward(root, gradient))
    )


def _rounded(drawn: Draw) -> Iterator[pr.Leaf]:
    """Yield the leaves with two digits, as long as the numbers stay in the domain."""
    for leaf, domain in zip(drawn.leaves, drawn.op.domains(len(drawn.leaves)), strict=True):
        values = tuple(float(f"{value:.2g}") for value in leaf.values)
        rounded = dataclasses.replace(leaf, values=values)
        yield rounded if domain.contains(rounded.array()) else leaf


def _quirk(name: str) -> Explanation:
    quirk = QUIRKS[name]
    facts = (("declared by", f'quirks = frozenset({{"{name}"}})'),)
    if not quirk.example:
        return Explanation("quirk", name, quirk.description, facts)
    program = program_from_text(quirk.example)
    right = _right(program)
    sides = with_quirks(_right(program), frozenset({name})), right
    numbers = numbers_of(program, ("with the quirk", _RIGHT), *sides)
    return Explanation("quirk", name, quirk.description, facts, str(program), numbers)


def _defect(name: str) -> Explanation:
    defect = DEFECTS[name]
    facts = [("typical code", defect.code), ("how to mend it", defect.mend)]
    facts += [(_SEEN, defect.seen)] if defect.seen else []
    facts += [("if intended", f"the quirk {defect.quirk}")] if defect.quirk else []
    facts += [("found by", f"the probe {defect.probe}")] if defect.probe else []
    facts.append(("as an engine", f"{defect.__module__}:{defect.__name__}"))
    example, numbers = "", None
    program = defect.smallest
    if program is None:
        example = PROBES_BY_NAME[defect.probe].example
    elif defect.flaky:
        example = str(program)
    else:
        example = str(program)
        numbers = numbers_of(program, ("wrong", _RIGHT), defect(), _right(program))
    return Explanation("defect", name, defect.description, tuple(facts), example, numbers)


def _kind(name: str) -> Explanation:
    kind = KINDS[name]
    category = category_of(Finding(kind, 0, "grad", 0, None, None))
    facts = [("in reports under", str(category)), ("where to look", kind.advice)]
    if kind not in _OF_KIND:
        return Explanation("finding kind", name, kind.description, tuple(facts))
    shown = _defect(_OF_KIND[kind])
    facts.append(("this example", f"the defect {shown.name}: {shown.sentence}"))
    facts += [fact for fact in shown.facts if fact[0] in ("typical code", "how to mend it")]
    return Explanation(
        "finding kind", name, kind.description, tuple(facts), shown.example, shown.numbers
    )


def _probe(name: str) -> Explanation:
    probe = PROBES_BY_NAME[name]
    what = " ".join((probe.search.__doc__ or "").partition("\n\n")[0].replace("``", "`").split())
    facts = (
        ("what it does", what),
        ("typical code", probe.code),
        ("how to mend it", probe.mend),
        ("needs one of", ", ".join(probe.needs)),
    )
    return Explanation("probe", name, probe.description, facts, probe.example)


def _profile(name: str) -> Explanation:
    profile = PROFILES[name]
    facts = [("programs", f"like this one, of up to {profile.slots} operations and events")]
    facts += [("operations", ", ".join(profile.ops))] if profile.ops else []
    engine = load_engine("torch") if profile.rows else TapeEngine()
    decoder = Decoder.of(profile, engine)
    drawn = (
        decoder.decode(random.Random(f"{name} {i}").randbytes(profile.size)) for i in range(_DRAWN)
    )
    program = min(drawn, key=_length)
    return Explanation("profile", name, profile.description, tuple(facts), str(program))


def _length(program: pr.Program) -> tuple[bool, int]:
    return len(program.statements) < _FEWEST, len(str(program))


def _engine(name: str) -> Explanation:
    packages, install = requirements(name)
    facts = [("adapter", BUILT_IN[name])]
    facts += [("needs", f"{', '.join(packages)}: pip install {install}")] if packages else []
    return Explanation("engine", name, DESCRIPTIONS[name], tuple(facts))


#: What can be listed, by the word after ``parity list``.
CATEGORIES: Mapping[str, Category] = {
    "ops": Category("operation", lambda: {name: _computes(name) for name in OPS}, _operation),
    "quirks": Category(
        "quirk", lambda: {name: quirk.description for name, quirk in QUIRKS.items()}, _quirk
    ),
    "defects": Category(
        "defect", lambda: {name: defect.description for name, defect in DEFECTS.items()}, _defect
    ),
    "probes": Category(
        "probe", lambda: {name: p.description for name, p in PROBES_BY_NAME.items()}, _probe
    ),
    "engines": Category("engine", lambda: DESCRIPTIONS, _engine),
    "profiles": Category(
        "profile", lambda: {name: p.description for name, p in PROFILES.items()}, _profile
    ),
    "kinds": Category(
        "finding kind", lambda: {name: kind.description for name, kind in KINDS.items()}, _kind
    ),
}


def page(category: Category) -> str:
    """Return all names of a category with what ``explain`` says of them, as a Markdown page."""
    names = category.sentences()
    title = f"{category.singular.capitalize()}s"
    lines = [f"# {title}", "", f"{len(names)} names, each as `parity explain NAME` shows it.", ""]
    for name in names:
        lines += category.explain(name).markdown()
    return "\n".join(lines)
