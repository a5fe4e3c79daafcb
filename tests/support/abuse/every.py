"""All attacks, in the order of the table."""

from tests.support.abuse import devices, mails, strangers
from tests.support.abuse.table import ABUSES

__all__ = ["ABUSES", "devices", "mails", "strangers"]
