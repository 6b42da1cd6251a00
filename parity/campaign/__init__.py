"""``parity fuzz``: fuzzing campaigns with a corpus, and searches without one.

Modules in reading order. Inputs: ``cases`` (bytes and their profile), ``guide`` (random and mutated
inputs, and which are new), ``mutate`` and ``line_coverage``. Searches: ``search`` (a fixed number
of programs), ``hypothesis_search``, ``database``, and ``finish`` (verdict and diagnosis of a
finding), with results in ``result`` and ``baseline``. Campaigns:
``shard`` (the unit of work), ``executors`` (where shards run), ``records`` (counts and findings as
plain data), ``storage``, ``lock`` and ``corpus`` (files), ``campaign`` (the coordinator),
``monitor`` (the status file), ``summary`` (output), ``replay`` and ``regressions`` (findings, run
again), ``bisect`` (revisions of an engine), ``merge`` and ``prune`` (corpora).
Evaluations: ``score`` (known defects) and ``survey`` (engines of other projects).
"""
