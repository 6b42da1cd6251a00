"""pytest options."""
