"""Examples of each command, which its ``--help`` ends with."""

from __future__ import annotations

#: By command; a test checks that each command of them exists with its options.
EXAMPLES: dict[str, tuple[str, ...]] = {
    "check": (
        "parity check --engine dezero",
        "parity check --engine adapter.py:Mine --examples 500 --ops add,mul,sum",
        "parity check --engine adapter.py:Mine --baseline known.toml --json result.json",
    ),
    "run": (
        "parity run program.txt --engine adapter.py:Mine",
        "parity run - --engine dezero < program.txt",
        "parity run program.txt --engine torch --reference exact",
    ),
    "list": (
        "parity list quirks",
        "parity list ops --json | python -m json.tool",
    ),
    "explain": (
        "parity explain overwrite",
        "parity explain keeps-graphs",
        "parity explain take_along_axis",
    ),
    "adapter": (
        "parity adapter adapter.py --scalar",
        "parity adapter adapter.py --numpy-like",
        "parity adapter --scan mylibrary",
    ),
    "ops": (
        "parity ops dezero --ops max,min",
        "parity ops adapter.py:Mine --json operations.json",
    ),
    "score": (
        "parity score --defects overwrite,stale-root --seeds 3",
        "parity score --combined 50",
        "parity score --rows 20",
    ),
    "survey": (
        "parity survey dezero micrograd --examples 200",
        "parity survey -o survey.md --json survey.json",
    ),
    "bench": (
        "parity bench --quick",
        "parity bench --engines dezero,adapter.py:Mine --json speed.json",
        "parity bench --base main --limit 1.2",
    ),
    "report": (
        "parity report speed.json -o speed",
        "parity report speed.json --against older.json",
    ),
    "fuzz": (
        "parity fuzz --engine adapter.py:Mine --time 10m",
        "parity fuzz --engine dezero --programs 100000 --workers 4 --corpus nightly",
    ),
    "replay": (
        "parity replay parity-corpus --engine adapter.py:Mine",
        "parity replay parity-corpus --engine adapter.py:Mine --forget-fixed",
    ),
    "minimize": (
        "parity minimize parity-corpus --engine adapter.py:Mine",
        "parity minimize parity-corpus/findings/0a1b2c.json --engine adapter.py:Mine",
    ),
    "promote": (
        "parity promote parity-corpus/findings/0a1b2c.json",
        "parity promote parity-corpus/findings/0a1b2c.json -o regressions",
    ),
    "merge": (
        "parity merge monday tuesday -o both",
        "parity merge monday tuesday -o both --engine adapter.py:Mine",
    ),
    "prune": (
        "parity prune parity-corpus --engine adapter.py:Mine --dry-run",
        "parity prune parity-corpus --engine adapter.py:Mine",
    ),
    "bisect": (
        "parity bisect parity-corpus/findings/0a1b2c.json --engine adapter.py:Mine "
        "--good v1.0 --bad HEAD",
        "parity bisect finding.json --engine adapter.py:Mine --good v1.0 --bad main --repo ../mine",
    ),
    "completion": (
        "source <(parity completion bash)",
        "parity completion zsh > ~/.parity-completion && source ~/.parity-completion",
        "parity completion fish > ~/.config/fish/completions/parity.fish",
    ),
}


def epilog(command: str) -> str:
    """Return the examples of a command as the last lines of its help."""
    return "\n".join(("examples:", *(f"  {line}" for line in EXAMPLES[command])))
