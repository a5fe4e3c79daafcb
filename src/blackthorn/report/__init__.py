"""The transparency report: what a ledger tells of its enterprise's directives. Pure."""
