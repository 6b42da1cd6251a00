"""The summary of a campaign: text for the terminal, Markdown for the page of a CI run."""

from __future__ import annotations

from collections.abc import Iterator

from parity._util.markdown import table
from parity.campaign.campaign import Outcome
from parity.campaign.display import clock
from parity.campaign.records import FindingData
from parity.engines.base import label
from parity.engines.quirks.table import descriptions
from parity.oracle.verdict import ILL_CONDITIONED, no_findings

#: Causes that a summary shows with a program; the corpus has all findings.
SHOWN = 20


def text(outcome: Outcome, where: str) -> str:
    """The summary for the terminal; ``where``: the corpus."""
    lines = [_headline(outcome)]
    if outcome.untested:
        lines.append(f"not tested, since the engine lacks it: {', '.join(outcome.untested)}")
    lines += [f"quirk {name}: {text}" for name, text in descriptions(outcome.engine.quirks).items()]
    for number, (kind, _, several) in enumerate(outcome.causes()):
        name, finding = several[0]
        if number == SHOWN:
            lines.append(f"\n... and {len(outcome.causes()) - SHOWN} more causes, in the corpus")
            break
        lines.append(f"\n{kind}: {finding['says']}")
        lines += [f"    {line}" for line in finding["text"].splitlines()]
        lines += [f"  {line}" for line in _facts(outcome, finding)]
        lines.append(f"  finding: {where}/findings/{name}.json")
        if len(several) > 1:
            lines.append(f"  and {len(several) - 1} more findings of the same kind and diagnosis")
    return "\n".join([*lines, "", *_ending(outcome, where)])


def _headline(outcome: Outcome) -> str:
    earlier = f", {outcome.before:,} of them in earlier runs" if outcome.before else ""
    return (
        f"{label(outcome.engine)} against {label(outcome.reference)}: "
        f"{outcome.total.programs:,} programs{earlier}, seed {outcome.identity.seed}, "
        f"{clock(outcome.seconds)}"
    )


def _facts(outcome: Outcome, finding: FindingData) -> Iterator[str]:
    """Values, diagnosis and script of a finding, one line each."""
    for who, shown in zip((outcome.engine, outcome.reference), finding["shown"], strict=True):
        yield f"{label(who)}: {shown}"
    if finding["wrong"] == "reference":
        yield f"by an exact evaluation it is {outcome.reference.name} that is wrong"
    if finding["error_over_bound"] is not None:
        yield f"error: {finding['error_over_bound']:.3g} times what rounding explains"
    for one in finding["diagnosis"]:
        agreement = f"{one['agrees']} of {one['of']} probes"
        yield f"behaves like `{one['defect']}`: {one['says']}; {agreement}"
    if finding["script"]:
        yield f"script: {finding['script']}"
    yield f"found {finding['count']} times, first by program {finding['program_number']}"


def _ending(outcome: Outcome, where: str) -> Iterator[str]:
    if outcome.total.ill_conditioned:
        count = outcome.total.ill_conditioned
        yield f"{no_findings(count)}; they are in {where}/{ILL_CONDITIONED}"
    reached = len(outcome.reachable & set(outcome.total.coverage))
    yield f"coverage: {reached} of {len(outcome.reachable)} features reached"
    if outcome.exported:
        yield (
            f"{outcome.exported} findings are exported to the Hypothesis database: "
            f"pytest --pyargs parity --engine {outcome.identity.spec} replays them first"
        )
    if outcome.interrupted:
        yield "interrupted: the same command continues from here"
    if outcome.findings:
        failing = outcome.total.failing.total()
        yield (
            f"{len(outcome.findings)} findings of {len(outcome.causes())} kinds and diagnoses; "
            f"{failing:,} of {outcome.total.programs:,} programs differ"
        )
    else:
        yield "parity: no difference found"


def markdown(outcome: Outcome, where: str) -> str:
    """The summary as Markdown."""
    verdict = "findings" if outcome.findings else "parity"
    total = outcome.total
    counts = (
        f"{total.programs:,}",
        f"{total.failing.total():,}",
        len(outcome.findings),
        f"{len(outcome.reachable & set(total.coverage))} of {len(outcome.reachable)}",
    )
    lines = [
        f"## parity fuzz: {verdict}",
        "",
        _headline(outcome) + ("; interrupted" if outcome.interrupted else ""),
        "",
        *table(("programs", "programs that differ", "findings", "coverage"), [counts], "rrrr"),
    ]
    causes = outcome.causes()
    if causes:
        rows = [
            (
                f"`{kind}`",
                ", ".join(f"`{name}`" for name in named) or "no known defect",
                len(several),
            )
            for kind, named, several in causes
        ]
        lines += ["", *table(("kind", "behaves like", "findings"), rows, "llr")]
    for kind, _, several in causes[:SHOWN]:
        name, finding = several[0]
        lines += ["", f"### `{kind}`: {finding['says']}", "", "```"]
        lines += [*finding["text"].splitlines(), "```", ""]
        lines += [f"- {fact}" for fact in _facts(outcome, finding)]
        lines.append(f"- finding: `{where}/findings/{name}.json`")
    return "\n".join(lines) + "\n"
