"""Child processes of tests."""

import signal


def interruptible() -> None:
    """For `preexec_fn`: SIGINT interrupts the child, though the runner may ignore it.

    A program that is started with SIGINT ignored, as in the background of a script, rightly
    leaves it so; a test that interrupts one therefore starts it as a terminal does.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
