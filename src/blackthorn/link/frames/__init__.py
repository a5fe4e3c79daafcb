"""The frames of the link: what a device and the server say to each other, a module per use case.

One frame is one WebSocket binary message: a MessagePack array whose first element is the
frame's number (msgspec, `array_like`). Both sides decode by these types alone (`codec`), so that
every length is bounded before anything acts on it. Which frames are allowed when is the table
in `link.session`. A frame never holds a sender's address, a conversation's name or anything
unsealed; nothing here acts on a frame.
"""

from blackthorn.link.frames.accounts import ActivateBegin as ActivateBegin
from blackthorn.link.frames.accounts import ActivateChallenge as ActivateChallenge
from blackthorn.link.frames.accounts import Activated as Activated
from blackthorn.link.frames.accounts import ActivateProve as ActivateProve
from blackthorn.link.frames.accounts import Recognised as Recognised
from blackthorn.link.frames.accounts import Recover as Recover
from blackthorn.link.frames.codec import AnyFrame as AnyFrame
from blackthorn.link.frames.codec import decode as decode
from blackthorn.link.frames.codec import encode as encode
from blackthorn.link.frames.connection import LINK_VERSION as LINK_VERSION
from blackthorn.link.frames.connection import Bye as Bye
from blackthorn.link.frames.connection import Hello as Hello
from blackthorn.link.frames.connection import Ping as Ping
from blackthorn.link.frames.connection import Pong as Pong
from blackthorn.link.frames.connection import Ready as Ready
from blackthorn.link.frames.decisions import Decision as Decision
from blackthorn.link.frames.decisions import Decisions as Decisions
from blackthorn.link.frames.decisions import DecisionTaken as DecisionTaken
from blackthorn.link.frames.decisions import ExitFacts as ExitFacts
from blackthorn.link.frames.decisions import ExitTold as ExitTold
from blackthorn.link.frames.decisions import FetchDecisions as FetchDecisions
from blackthorn.link.frames.decisions import FetchExit as FetchExit
from blackthorn.link.frames.decisions import FetchProduction as FetchProduction
from blackthorn.link.frames.decisions import FetchReceipt as FetchReceipt
from blackthorn.link.frames.decisions import MarketNotice as MarketNotice
from blackthorn.link.frames.decisions import ProductionPart as ProductionPart
from blackthorn.link.frames.decisions import ReceiptPart as ReceiptPart
from blackthorn.link.frames.decisions import SubmitDecision as SubmitDecision
from blackthorn.link.frames.decisions import TellExit as TellExit
from blackthorn.link.frames.ledger import Answer as Answer
from blackthorn.link.frames.ledger import ChainPart as ChainPart
from blackthorn.link.frames.ledger import Consistency as Consistency
from blackthorn.link.frames.ledger import Entries as Entries
from blackthorn.link.frames.ledger import EpochPart as EpochPart
from blackthorn.link.frames.ledger import FetchChain as FetchChain
from blackthorn.link.frames.ledger import FetchEntries as FetchEntries
from blackthorn.link.frames.ledger import FetchTrust as FetchTrust
from blackthorn.link.frames.ledger import LeafChanged as LeafChanged
from blackthorn.link.frames.ledger import LookedUp as LookedUp
from blackthorn.link.frames.ledger import LookUp as LookUp
from blackthorn.link.frames.ledger import ProveConsistency as ProveConsistency
from blackthorn.link.frames.ledger import Receipt as Receipt
from blackthorn.link.frames.ledger import StatementStored as StatementStored
from blackthorn.link.frames.ledger import SubmitStatement as SubmitStatement
from blackthorn.link.frames.ledger import TellCheckpoint as TellCheckpoint
from blackthorn.link.frames.ledger import Trust as Trust
from blackthorn.link.frames.mail import FetchMail as FetchMail
from blackthorn.link.frames.mail import ListMail as ListMail
from blackthorn.link.frames.mail import MailArrived as MailArrived
from blackthorn.link.frames.mail import MailChunk as MailChunk
from blackthorn.link.frames.mail import MailEntry as MailEntry
from blackthorn.link.frames.mail import MailListing as MailListing
from blackthorn.link.frames.messaging import Accepted as Accepted
from blackthorn.link.frames.messaging import Acknowledge as Acknowledge
from blackthorn.link.frames.messaging import ClaimedKeyPackage as ClaimedKeyPackage
from blackthorn.link.frames.messaging import ClaimKeyPackages as ClaimKeyPackages
from blackthorn.link.frames.messaging import Deliver as Deliver
from blackthorn.link.frames.messaging import Delivery as Delivery
from blackthorn.link.frames.messaging import Drained as Drained
from blackthorn.link.frames.messaging import Fanout as Fanout
from blackthorn.link.frames.messaging import FanoutUnknown as FanoutUnknown
from blackthorn.link.frames.messaging import KeyPackages as KeyPackages
from blackthorn.link.frames.messaging import KeyPackageStock as KeyPackageStock
from blackthorn.link.frames.messaging import Order as Order
from blackthorn.link.frames.messaging import Parcel as Parcel
from blackthorn.link.frames.messaging import Posting as Posting
from blackthorn.link.frames.messaging import PublishKeyPackages as PublishKeyPackages
from blackthorn.link.frames.messaging import Refused as Refused
from blackthorn.link.frames.messaging import Resume as Resume
from blackthorn.link.frames.messaging import Send as Send
from blackthorn.link.frames.messaging import SetAside as SetAside
from blackthorn.link.frames.messaging import Superseded as Superseded
from blackthorn.link.frames.pairing import JoinPairing as JoinPairing
from blackthorn.link.frames.pairing import OpenPairing as OpenPairing
from blackthorn.link.frames.pairing import Paired as Paired
from blackthorn.link.frames.pairing import PairingEnded as PairingEnded
from blackthorn.link.frames.pairing import PairingOpened as PairingOpened
from blackthorn.link.frames.pairing import Relay as Relay
from blackthorn.link.frames.types import AddressText as AddressText
from blackthorn.link.frames.types import Bytes32 as Bytes32
from blackthorn.link.frames.types import Frame as Frame
from blackthorn.link.frames.types import Id16 as Id16
from blackthorn.link.frames.types import Ids as Ids
from blackthorn.link.frames.types import KeyPackageBytes as KeyPackageBytes
from blackthorn.link.frames.types import Sealed as Sealed
from blackthorn.link.frames.types import Seqs as Seqs
from blackthorn.link.frames.types import Signature as Signature
from blackthorn.link.frames.types import Uint64 as Uint64
