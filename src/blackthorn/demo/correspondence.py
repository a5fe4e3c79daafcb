"""Who was sent what, and who got it: messages between real devices, counted from both ends.

A message counts once for each person it was for. What is *sent* is what the sender's program said
was accepted; what is *received* is what the recipient's own program printed.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from blackthorn.demo.deployment import Person, StepFailedError, wait_until

DELIVERY_SECONDS = 30.0
"""From accepted to printed, over as many looks at the inbox as it takes."""


class Correspondence:
    """Sends and collects; a text is used once, so that it can be recognised."""

    def __init__(self) -> None:
        self._due: dict[str, list[str]] = {}
        self._got: dict[str, dict[str, str]] = {}
        self._sent: set[str] = set()

    @property
    def sent(self) -> int:
        """Messages accepted by the server, once for each recipient."""
        return sum(len(texts) for texts in self._due.values())

    @property
    def received(self) -> int:
        """Of these, how many their recipient's device printed."""
        return sum(
            len(set(texts) & set(self._got.get(address, {}).values()))
            for address, texts in self._due.items()
        )

    @property
    def repeated(self) -> int:
        """Messages that a device printed under more than one id."""
        return sum(
            count - 1
            for messages in self._got.values()
            for text, count in Counter(messages.values()).items()
            if text in self._sent
        )

    def send(self, sender: Person, recipients: Sequence[Person], text: str) -> None:
        """A direct message."""
        addresses = [recipient.address for recipient in recipients]
        self._accept(sender.run_json("send", *addresses, text), recipients, text)

    def send_to_group(
        self, sender: Person, group: str, recipients: Sequence[Person], text: str
    ) -> None:
        """A message to a group of which `recipients` are the other members."""
        self._accept(sender.run_json("group", "send", group, text), recipients, text)

    def _accept(self, answer: Any, recipients: Iterable[Person], text: str) -> None:
        if answer.get("accepted") is not True:
            raise StepFailedError("a message was not accepted")
        self._sent.add(text)
        for recipient in recipients:
            self._due.setdefault(recipient.address, []).append(text)

    def keep(self, reader: Person, messages: Iterable[dict[str, Any]]) -> None:
        """Count messages that a reader's program printed as JSON."""
        got = self._got.setdefault(reader.address, {})
        for message in messages:
            got[str(message["id"])] = str(message["text"])

    def look(self, reader: Person) -> None:
        """Look into a reader's inbox once."""
        self.keep(reader, reader.run_json("inbox"))

    def missing(self, reader: Person) -> int:
        """How many messages this reader still waits for."""
        got = set(self._got.get(reader.address, {}).values())
        return len(set(self._due.get(reader.address, ())) - got)

    def collect(self, *readers: Person) -> None:
        """Look into the inboxes until all has come; StepFailedError when it does not."""
        for reader in readers:

            def complete(reader: Person = reader) -> bool:
                self.look(reader)
                return self.missing(reader) == 0

            wait_until(complete, DELIVERY_SECONDS, f"messages for {reader.address} did not come")

    def texts(self, reader: Person) -> set[str]:
        """Everything this reader's device has printed."""
        return set(self._got.get(reader.address, {}).values())
