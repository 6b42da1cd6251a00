"""What people read of a comparison of speed: a page and a summary of ``parity bench --json``.

``results`` reads and checks the file, ``compare`` finds what changed against an
older one, ``model`` makes tables and ``words`` sentences of both; ``page``,
``charts`` and ``markdown`` write them. Only ``page`` and ``charts`` need the
extra ``report`` (jinja2 and matplotlib).
"""
