"""Bounds of `audit`: each with its name, its unit and its reason."""

from blackthorn.wire.units import MIB

MAX_AUDIT_ANSWER_BYTES = 32 * MIB
"""One answer that an auditor reads: a bundle of 256 entries of the largest size is half of it."""

MAX_REPORT_BYTES = 64 * MIB
"""One file of a report that is checked; 10,000 directives are 10 MB of JSON."""

MAX_REPORT_FILES = 1_024
"""Files of a folder of reports that are checked at a time: those of a century and more."""
