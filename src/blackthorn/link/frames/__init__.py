"""The frames of the link, a module per use case.

A frame is one WebSocket binary message: a MessagePack array that begins with the frame's number
(msgspec, `array_like`). Both sides decode by these types alone (`codec`), which bound every length.
The table in `link.session` says which frames are allowed when. A frame never has a sender's
address, a conversation's name or anything unsealed.
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
