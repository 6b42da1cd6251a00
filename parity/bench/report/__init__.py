"""``parity report``: an HTML page and a Markdown summary of a result of ``parity bench --json``.

``results`` reads a file, ``compare`` finds changes against an older one, ``history`` puts several
in order and finds steps, and ``speed`` has means and the verdict. ``tables`` and ``summary`` make
tables and sentences of them, with numbers by ``formatting``. ``markdown``,
``charts`` (with ``svg``) and ``page`` write them; the last two need the extra ``report`` (jinja2
and matplotlib), which ``results.require`` checks for. ``findings`` is the page of
``parity check --html``; both pages share ``environment``.
"""
