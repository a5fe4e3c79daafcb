"""Bounds of `report`: each with its name, its unit and its reason."""

MAX_REPORT_HALF_YEARS = 12
"""Half years in the chart: six years fit a phone's screen."""

MAX_REPORT_CARDS = 500
"""Directives shown on the page, newest first; the CSV file has all."""

MAX_FEED_ENTRIES = 256
"""Decisions in the feed, the newest ones: about 250 kB."""
