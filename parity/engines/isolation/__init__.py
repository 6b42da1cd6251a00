"""Engines in worker processes, with limits on time and memory per program.

In reading order: ``isolated`` (the runner), ``process`` (one worker process as seen from the
parent), ``worker`` (what runs in it) and ``codec`` (the messages between them).
"""
