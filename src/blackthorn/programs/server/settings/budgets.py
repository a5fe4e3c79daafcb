"""The section of the settings with the budgets of devices."""

from dataclasses import dataclass

from blackthorn.programs.server.settings.setting import setting
from blackthorn.server.budgets import limits as budgets
from blackthorn.server.budgets.budgets import HOUR, Rate, Rates
from blackthorn.wire.units import KIB, MIB


@dataclass(frozen=True, slots=True)
class BudgetsSettings:
    """What one device may have stored, and what of that comes back; a user has twice as much."""

    rows: int = setting(
        budgets.ROWS_BURST, "Parcels times recipients at once: rows of mailboxes.", at_least=1
    )
    rows_per_second: int = setting(
        budgets.ROWS_PER_SECOND, "Rows that come back each second.", at_least=1
    )
    stored_mib: int = setting(
        budgets.BYTES_BURST // MIB, "MiB of sealed parcels at once.", at_least=1, at_most=2**20
    )
    stored_kib_per_second: int = setting(
        budgets.BYTES_PER_SECOND // KIB, "KiB of them that come back each second.", at_least=1
    )
    copied_mib: int = setting(
        budgets.COPIED_BURST // MIB, "MiB times recipients at once.", at_least=1
    )
    copied_kib_per_second: int = setting(
        budgets.COPIED_PER_SECOND // KIB, "KiB of those that come back each second.", at_least=1
    )
    commits: int = setting(budgets.ORDERS_BURST, "Changes of groups at once.", at_least=1)
    commits_per_hour: int = setting(
        budgets.ORDERS_PER_HOUR, "Changes of groups that come back each hour.", at_least=1
    )

    def rates(self) -> Rates:
        return Rates(
            Rate(self.rows, self.rows_per_second),
            Rate(self.stored_mib * MIB, self.stored_kib_per_second * KIB),
            Rate(self.copied_mib * MIB, self.copied_kib_per_second * KIB),
            Rate(self.commits, self.commits_per_hour / HOUR),
        )
