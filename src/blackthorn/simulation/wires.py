"""Connections of the worlds in memory: a world delivers each message of each wire, or cuts it."""

from collections import deque
from typing import Protocol

from blackthorn.ids import DeviceId
from blackthorn.link import frames as f
from blackthorn.link.session import Link, Role
from blackthorn.server.handlers.dispatcher import Dispatcher


class Endpoint(Protocol):
    """What is at the device's end of a wire."""

    wire: "Wire | None"

    def hear(self, wire: "Wire", frame: f.AnyFrame) -> None:
        """Process a frame of the server."""

    def disconnected(self) -> None:
        """The wire is gone."""


class Wire:
    """One connection: two queues of messages, with the server's session at the end of one."""

    def __init__(self, world: "Wires", device: Endpoint, binding: bytes = b"") -> None:
        world.connections += 1
        self.to_server: deque[bytes] = deque()
        self.to_device: deque[bytes] = deque()
        self.reading = True
        self.open = True
        self.device = device
        self.link = Link(Role.DEVICE, world.now)
        self.binding = binding or b"binding %d" % world.connections
        client = f"address {world.connections}"
        self.session = world.dispatcher.connect(self, self.binding, world.now, client)

    # The server's side (server.handlers.session.Wire).

    def write(self, data: bytes) -> None:
        self.to_device.append(data)

    def close(self) -> None:
        self.open = False

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def recognise(self, device: DeviceId) -> bool:
        return True  # no sockets are counted in memory

    # The device's side.

    def say(self, *frames: f.AnyFrame) -> None:
        self.to_server += [self.link.send(frame) for frame in frames]


class Wires:
    """The wires of a world, which has besides a dispatcher and a time."""

    dispatcher: Dispatcher
    now: float
    """Seconds."""
    wires: list[Wire]
    connections = 0
    """How many wires there have been."""

    def cut(self, wire: Wire, *, tell: bool = True) -> None:
        """The connection breaks; what was on it is lost. The server notices only with `tell`."""
        if wire in self.wires:
            self.wires.remove(wire)
            if tell:
                self.dispatcher.disconnect(wire.session)
        if wire.device.wire is wire:
            wire.device.wire = None
            wire.device.disconnected()

    def step_wire(self, wire: Wire, *, to_server: bool) -> bool:
        """Deliver one message of the wire; False when there was none to deliver."""
        if to_server:
            if not (wire.to_server and wire.reading and wire.open):
                return False
            self.dispatcher.receive(wire.session, wire.to_server.popleft(), self.now)
        else:
            if not wire.to_device:
                return False
            self.tell(wire, wire.link.receive(wire.to_device.popleft(), self.now))
        if not wire.open and not wire.to_device:
            self.cut(wire)
        return True

    def tell(self, wire: Wire, frame: f.AnyFrame) -> None:
        """The device gets a frame."""
        wire.device.hear(wire, frame)

    def run_wire(self, wire: Wire, until_ready: bool = False) -> None:
        """Deliver all messages of one wire, both ways, or those up to Ready."""
        while not (until_ready and wire.link.opened) and (
            self.step_wire(wire, to_server=True) or self.step_wire(wire, to_server=False)
        ):
            pass

    def run_wires(self) -> bool:
        """Deliver all messages of all wires, one wire after the other; whether there was any."""
        moved = False
        for wire in list(self.wires):
            while wire in self.wires and (
                self.step_wire(wire, to_server=True) or self.step_wire(wire, to_server=False)
            ):
                moved = True
        return moved
