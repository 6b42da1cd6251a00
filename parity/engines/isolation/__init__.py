"""Engines in worker processes, with limits on time and memory per program.

A crash, an endless loop or exhausted memory of the engine ends the worker process, not the run:
it becomes a finding on the program, and a new process is started.

Modules, in reading order: ``isolated`` (the runner), ``process`` (one worker process as seen from
the parent), ``worker`` (what runs in that process) and ``codec`` (the messages between
them).
"""
