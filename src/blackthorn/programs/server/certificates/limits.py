"""Bounds of `programs/server/certificates`."""

WATCH_SECONDS = 5
"""Period in which the files of the certificate are looked at for a change."""

LOOK_SECONDS = 600
"""Period in which it is looked whether a renewal by ACME is due, which reads the whole chain."""

RENEW_PART = 3
"""An ACME certificate is renewed when this part, a third, of its life is left (as certbot does)."""

WARNING_DAYS = 14
WARNING_PART = 6
"""Its end is warned of this many days before, or a sixth of its life if that is less."""

FIRST_RETRY_SECONDS = 300
LONGEST_RETRY_SECONDS = 21_600
"""Pause after a failed renewal, doubled up to the second: authorities allow few an hour."""

WARN_AGAIN_SECONDS = 86_400
"""Period of the log event on a certificate that ends soon or has a problem."""

RENEW_COMMAND_SECONDS = 240
"""How long `blackthorn certificate renew` waits for the running server: an order, and a look."""
