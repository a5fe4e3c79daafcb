"""Single steps of a world of devices, for tests that interrupt it anywhere."""

from tests.support.device_world import World


def step(world: World) -> bool:
    """One step of anything; False when nothing moves."""
    for wire in list(world.wires):
        for to_server in (True, False):
            if wire in world.wires and world.step_wire(wire, to_server=to_server):
                return True
    world.dispatcher.tick(world.now)
    if world._ledger_step():
        return True
    for person in world.people:
        if person.wire is not None:
            person.tick()
    return any(wire.to_server for wire in world.wires)


def steps(world: World, count: int) -> bool:
    """So many steps; False when it came to rest before."""
    return all(step(world) for _ in range(count))
