"""The frames of the link: what a device and the server say to each other, a module per use case.

One frame is one WebSocket binary message: a MessagePack array whose first element is the
frame's number (msgspec, `array_like`). Both sides decode by these types alone (`codec`), so that
every length is bounded before anything acts on it. Which frames are allowed when is the table
in `link.session`. A frame never holds a sender's address, a conversation's name or anything
unsealed; nothing here acts on a frame.
"""

# ruff: noqa: F403 - each module defines frames and the types of their fields, and nothing else

from blackthorn.link.frames.accounts import *
from blackthorn.link.frames.codec import *
from blackthorn.link.frames.connection import *
from blackthorn.link.frames.decisions import *
from blackthorn.link.frames.ledger import *
from blackthorn.link.frames.mail import *
from blackthorn.link.frames.messaging import *
from blackthorn.link.frames.pairing import *
from blackthorn.link.frames.types import *
