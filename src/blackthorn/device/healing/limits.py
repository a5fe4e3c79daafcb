"""Bounds of `device/healing`: each with its name, its unit and its reason."""

from blackthorn.wire.units import KIB

KEPT_EPOCH_SECONDS = 30 * 24 * 3600
"""How long a past epoch can be compared with other members': the server's retention of parcels."""

SENT_TEXT_SECONDS = 30 * 24 * 3600
"""How long an own text can be sent again unchanged."""

MAX_MOVES = 16
"""Groups, each of which took the place of the one before: the suites that there may ever be."""

MAX_SENT_AGAIN = 1_000
"""Own texts that go again after one rejoin."""

MAX_HEARD = 1_024
"""Questions and answers of other devices that wait to be worked off."""

MAX_LOST_TEXTS = 1_024
"""Parcels of one conversation that are noted as lost; an insider can make any number of them."""

MAX_LOST_ITEMS = 64
"""Parcels, and missing counts, in one report to their author."""

MAX_TALLIES = 256
"""Devices in one question for what was missed, with the counts that were read of them; of others
all texts of the last epoch that was read go again, and are shown once."""

REPORT_SPREAD_SECONDS = 60
"""A report waits a random part of this time: the text may come, or go to the whole group."""

MISSING_WAIT_SECONDS = 600
"""Wait, after everything was delivered, for a text whose count was skipped."""

REPORT_PAUSE_SECONDS = 60
MAX_REPORTS_A_DAY = 200
"""Reports to one author's device: one in the first time, so many in a day."""

LOST_TOLD_SECONDS = 24 * 3600
"""A text that was reported and did not come again in this time is told to the person."""

MAX_SEALINGS = 4
"""Parcels of one own text that a report can name: it is sealed again when its epoch has passed."""

MAX_AGAIN_TO_DEVICE = 3
AGAIN_PAUSE_SECONDS = 3600
"""How often an own text goes again directly to one device, and the time between."""

MAX_AGAIN_A_DAY = 1_000
"""Own texts that go again to one device in a day: as after one rejoin."""

LATE_EPOCHS = 5
LATE_SECONDS = 3 * 24 * 3600
"""A text accepted so many epochs, and so long, after its own epoch goes again unasked: members
keep no keys for it."""

MAX_ITEMS = 32
"""Conversations in one question."""

MAX_FAILED = 16
"""Digests of refused Commits of one conversation, none of which is a signal again."""

MAX_REMOVALS = 256
"""Removals of one conversation of which a removed device can learn."""

REMOVAL_SECONDS = 180 * 24 * 3600
"""How long a removed device learns who removed it."""

MAX_TELLERS = 3
"""Users of a group who tell a removed device so that still writes: a thousand would flood it."""

MAX_PARTED_TELLERS = 16
"""Users of a group who tell those who were added on the branch that ended: each once, as they leave
it, and it may be that most users were on the other one."""

MAX_EPOCHS_AHEAD = 2**16
"""Largest lead of a Welcome to a known conversation: no fork jumps beyond members' reach."""

COMMIT_WAIT_SECONDS = 60
"""Wait for the Commit that came before this device's own, with everything delivered (S2)."""

STRANGER_PAUSE_SECONDS = 6 * 3600
"""Between questions to members whom only a Welcome names, in all: whom it names is not verified."""

UNREADABLE_WAIT_SECONDS = 600
"""Wait for what opens a parcel before the server is asked for taken handles (S3)."""

MAX_KEPT_COMMITS = 2
MAX_KEPT_COMMIT_BYTES = 64 * KIB
"""Commits of a conversation that are kept as they came: one of up to 2,000 devices, and a void one.
A device that misses a larger one is added again."""

MAX_GIVEN_AN_HOUR = 16
"""Commits of one conversation that a device gives to members who miss one."""

KEPT_GROUP_SECONDS = 7 * 24 * 3600
"""How long a group is kept as it was before this device was removed or added again."""

SILENT_DAYS = 15
"""Days of use on which nothing comes from another device of a group, after which it asks (S5)."""

ORDERS_AGAIN_SECONDS = 24 * 3600
"""Interval at which the server is asked again while parcels stay unreadable."""

ANSWER_SECONDS = 600
"""Time for one member to answer or to add again, before the next one is asked."""

DOUBTFUL_REMOVAL_SECONDS = 3600
"""Time to decide whether a removal by a former device holds."""

TEXTS_HELD_SECONDS = 24 * 3600
"""After this time texts of a suspect conversation go, or the person is told that they wait."""

MAX_PROBES_A_DAY = 8
"""Members whom a device asks in a day, over all its conversations, whether they are elsewhere."""

MAX_COUNTED_USERS = 8
"""Users who are asked before it is decided which of two branches of a group goes on."""

MAX_TRAIL = 8
"""Past epochs in a question, by which the answerer finds where two branches part."""

BRANCH_GOES_ON_SECONDS = 7 * 24 * 3600
"""How long the decision holds that the own branch goes on: devices of the other are added again."""

MAX_DOUBTS_A_DAY = 8
"""Members asked beside these in a day: after another Commit, or a removal by a former device."""

MAX_CONFIRMS_A_DAY = 64
"""Members whom a device asks in a day to confirm its rejoins: texts wait for their answers."""

MAX_ASKS_AN_HOUR = 20
"""Questions with a key package by one device: a storm of them would stop its members' work."""

ADD_AGAIN_BATCH_SECONDS = 5
ADD_AGAIN_QUIET_SECONDS = 60
"""Devices are added again together, and not sooner than this after the group's last Commit."""

MAX_ADDED_AGAIN = 128
"""Devices added again by one Commit, whose path encrypts to each."""

MAX_HEALING_COMMITS_AN_HOUR = 12
"""Commits of one group that add devices again: 500 devices may ask at once."""

ADDED_AGAIN_SECONDS = 3600
MAX_ADDED_AGAIN_A_DAY = 6
"""How often one device is added again: once in the first, so often in a day."""

MAX_HANDED_LINES = 10_000
"""Lines that own devices hand on after one question, newest first: months of a busy person."""

HAVE_BYTES = 8
"""Bytes of a line's id by which a device says that it has the line."""

HANDED_FRAME_BYTES = 64 * KIB
"""Text and names of lines handed on in one message; one line may be larger."""

HANDED_FRAME_SECONDS = 2
"""Least time between two such messages: texts go in between."""

HANDING_TURN_SECONDS = 60
"""Time for one own device to begin or go on, before the next one hands on what is left."""

WANTED_SECONDS = 30 * 24 * 3600
WANTED_WAIT_SECONDS = 60
"""How long what was missed is remembered while there is nobody to ask, and how long more of it is
waited for before the question."""

MAX_WANTED = 256
"""Conversations in which lines were missed; beyond them all are asked for."""

MAX_HANDING = 8
"""Questions of own devices for lines that wait to be answered."""

MAX_MISSED_COUNTS = 1_000
"""Texts of one device that are missing, in one question."""

MAX_MARK_CHARS = 256
"""A line's mark: the name of a device and a date."""

LINKED_MARGIN_SECONDS = 24 * 3600
RECOVERED_MARGIN_SECONDS = 3600
"""A device gets no lines older than its place in the chain and this: by linking it got the others,
and the words of a paper open no history. Clocks may be wrong by as much."""

MAX_TOLD = 32
"""People whom a device asks which conversations it lacks, beside its user's other devices."""

LACKING_SECONDS = 7 * 24 * 3600
LACKING_AGAIN_SECONDS = 24 * 3600
"""How long their answers are taken, and how often they are asked: anybody can send a Welcome that
opens nothing."""

MAX_LACKING = 256
"""Conversations that a device was told it lacks, or whose Welcome it refused."""
