"""The directory's checks for devices, which import this module of the directory and no other.

It only re-exports.
"""

from blackthorn.directory.audit import Replay as Replay
from blackthorn.directory.audit import resume as resume
from blackthorn.directory.checks import Absent as Absent
from blackthorn.directory.checks import Accepted as Accepted
from blackthorn.directory.checks import Gossip as Gossip
from blackthorn.directory.checks import Present as Present
from blackthorn.directory.checks import Terms as Terms
from blackthorn.directory.checks import VerifiedEpoch as VerifiedEpoch
from blackthorn.directory.checks import check_history as check_history
from blackthorn.directory.checks import decode_gossip as decode_gossip
from blackthorn.directory.checks import ledger_time_ms as ledger_time_ms
from blackthorn.directory.checks import verify_answer as verify_answer
from blackthorn.directory.checks import verify_epoch as verify_epoch
from blackthorn.directory.commitment import Value as Value
from blackthorn.directory.commitment import decode_value as decode_value
from blackthorn.directory.config import DirectoryConfig as DirectoryConfig
from blackthorn.directory.config import check_successor as check_successor
from blackthorn.directory.config import decode_config as decode_config
from blackthorn.directory.entries import Head as Head
from blackthorn.directory.entries import decode_entry as decode_entry
from blackthorn.directory.evidence.file import Evidence as Evidence
from blackthorn.directory.evidence.file import decode_evidence as decode_evidence
from blackthorn.directory.evidence.file import verify_evidence as verify_evidence
from blackthorn.directory.evidence.users import ReplayedChain as ReplayedChain
from blackthorn.directory.lookup import Answer as Answer
from blackthorn.directory.lookup import EpochPart as EpochPart
from blackthorn.directory.lookup import Receipt as Receipt
from blackthorn.directory.receipts import Observation as Observation
from blackthorn.directory.receipts import verify_config as verify_config
from blackthorn.directory.receipts import verify_receipt as verify_receipt
from blackthorn.directory.receipts import verify_record as verify_record
