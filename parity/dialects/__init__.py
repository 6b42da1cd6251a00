"""The dialects of ``parity.quirks``, by what they are about."""
