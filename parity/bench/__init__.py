"""Workloads and measuring: engines side by side in one run.

Adding an engine is one class in ``parity/bench/sides/``, adding a workload one row in
``parity/bench/workloads.py``.
"""
