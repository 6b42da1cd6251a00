"""Fuzzing campaigns: a sweep outside Hypothesis, its corpus and its findings."""
