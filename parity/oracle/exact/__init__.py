"""The parts of the third opinion: exact numbers, derivatives going forward, and the graph.

It shares no traversal and no formula of a gradient with PyTorch or dezero.
"""
