"""Messages between real devices, counted at both ends once for each recipient.

*Sent*: the sender's program reported acceptance. *Received*: the recipient's program printed it.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from blackthorn.demo.deployment import Person, StepFailedError, wait_until

DELIVERY_SECONDS = 30.0
"""Timeout from acceptance to output."""


class Correspondence:
    """Sends and collects messages; every text is unique."""

    def __init__(self) -> None:
        self._due: dict[str, list[str]] = {}
        self._got: dict[str, dict[str, str]] = {}
        self._sent: set[str] = set()

    @property
    def sent(self) -> int:
        """Accepted messages, once for each recipient."""
        return sum(len(texts) for texts in self._due.values())

    @property
    def received(self) -> int:
        """Accepted messages that their recipients' devices printed."""
        return sum(
            len(set(texts) & set(self._got.get(address, {}).values()))
            for address, texts in self._due.items()
        )

    @property
    def repeated(self) -> int:
        """Messages that a device printed under several ids."""
        return sum(
            count - 1
            for messages in self._got.values()
            for text, count in Counter(messages.values()).items()
            if text in self._sent
        )

    def send(self, sender: Person, recipients: Sequence[Person], text: str) -> None:
        addresses = [recipient.address for recipient in recipients]
        self._accept(sender.run_json("send", *addresses, text), recipients, text)

    def send_to_group(
        self, sender: Person, group: str, recipients: Sequence[Person], text: str
    ) -> None:
        """Send to a group with the other members `recipients`."""
        self._accept(sender.run_json("group", "send", group, text), recipients, text)

    def _accept(self, answer: Any, recipients: Iterable[Person], text: str) -> None:
        if answer.get("accepted") is not True:
            raise StepFailedError("a message was not accepted")
        self._sent.add(text)
        for recipient in recipients:
            self._due.setdefault(recipient.address, []).append(text)

    def keep(self, reader: Person, messages: Iterable[dict[str, Any]]) -> None:
        """Count messages from the JSON output of a reader's program."""
        got = self._got.setdefault(reader.address, {})
        for message in messages:
            got[str(message["id"])] = str(message["text"])

    def look(self, reader: Person) -> None:
        """Receive once."""
        self.keep(reader, reader.run_json("inbox"))

    def missing(self, reader: Person) -> int:
        """The number of messages not printed yet."""
        got = set(self._got.get(reader.address, {}).values())
        return len(set(self._due.get(reader.address, ())) - got)

    def collect(self, *readers: Person) -> None:
        """Receive until nothing is missing. Raises StepFailedError after a timeout."""
        for reader in readers:

            def complete(reader: Person = reader) -> bool:
                self.look(reader)
                return self.missing(reader) == 0

            wait_until(complete, DELIVERY_SECONDS, f"messages for {reader.address} did not come")

    def texts(self, reader: Person) -> set[str]:
        """All printed texts of this reader."""
        return set(self._got.get(reader.address, {}).values())
