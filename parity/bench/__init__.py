"""``parity bench``: time and memory of engines, measured side by side in one run.

Modules in reading order: ``workload`` and ``workloads`` define what is measured; ``backends`` has
one class per library; ``measure`` times a workload on several backends, ``memory`` measures peaks
and growth, ``generator`` the throughput of the fuzzer, with ``statistics``. ``tasks`` runs these in
a process that ``client`` starts; ``session`` makes a whole run of them, with its conditions;
``revisions`` compares two revisions of dezero; ``text`` prints tables in a terminal, and ``report``
writes them for a browser.

A new engine is a class in ``backends``, a new workload an entry in ``workloads``.
"""
