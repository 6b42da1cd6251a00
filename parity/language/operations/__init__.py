"""The rows of the table of operations, a module a family.

``BASIC`` holds the operations that come first in the table, ``FURTHER`` the others.
"""
