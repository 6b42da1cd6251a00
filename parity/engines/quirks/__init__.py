"""The dialects of ``parity.engines.quirks.table``, by what they are about."""
