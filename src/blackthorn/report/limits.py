"""Bounds of `report`: each with its name, its unit and its reason."""

MAX_REPORT_HALF_YEARS = 12
"""Half years in the chart of a report: six years fit a telephone."""

MAX_REPORT_CARDS = 500
"""Directives that the page shows one by one, the newest ones; the table file has all."""

MAX_FEED_ENTRIES = 256
"""Decisions in the feed, the newest ones: about 250 kB."""
