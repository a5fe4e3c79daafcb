"""The attacks that Blackthorn must survive, and by which tests each is tried.

A test in this folder says `@attack(5, alarm="unknown-statement", checks=1)`: it tries attack 5
and holds that the alarm of that code is raised within one check of the client attacked. Without
an `alarm` the attack is refused on the spot and comes to nothing. `elsewhere` names tests outside
this folder that try an attack too. docs/attacks.md is made from all of it by
`tools/attack_table.py`, and the build fails when an attack has neither a test nor a reason to wait.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

Test = TypeVar("Test", bound=Callable[..., Any])

OPERATOR, NETWORK, GOVERNMENT, INSIDER, PUBLISHER = (
    "operator",
    "network",
    "order",
    "insider",
    "publisher",
)


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack: the attacker, the action, and the defence.

    `waits` is why no test tries it yet: the part that it attacks does not exist.
    `told` is what is not stopped, in the open.
    """

    number: int
    who: str
    what: str
    answer: str
    elsewhere: tuple[str, ...] = ()
    waits: str = ""
    told: str = ""


@dataclass(frozen=True, slots=True)
class Trial:
    """What a test of this folder holds of an attack."""

    attack: int
    alarm: str
    checks: int


def attack(number: int, *, alarm: str = "", checks: int = 0) -> Callable[[Test], Test]:
    """Mark a test as a trial of the attack with that number. See the module."""

    def mark(test: Test) -> Test:
        trials = getattr(test, "trials", ())
        test.trials = (*trials, Trial(number, alarm, checks))  # type: ignore[attr-defined]
        return test

    return mark


_OG, _ON, _NG = f"{OPERATOR}, {GOVERNMENT}", f"{OPERATOR}, {NETWORK}", f"{NETWORK}, {GOVERNMENT}"
_OI = f"{OPERATOR}, {INSIDER}"

ATTACKS: Final = (
    Attack(1, _OG, "A ghost device: a statement without a live device's signature",
           "Replay of the chain refuses it"),
    Attack(2, _OG, "A ghost device through a reset by the enrolment key",
           "It is loud and takes effect after a delay; any surviving device cancels it; people who "
           "verified the person are stopped"),
    Attack(3, OPERATOR, "The delay of resets is shortened",
           "It stands in the logged configuration: auditors withhold, devices alarm"),
    Attack(4, _ON, "Another key in the answer to a lookup",
           "VRF proof, map proof and chain: each field is bound"),
    Attack(5, OPERATOR, "A key is swapped and swapped back between two checks of its owner",
           "Versions only rise, by one; the owner's device compares them"),
    Attack(6, _OG, "A split view: two logs for two victims",
           "Witness quorum; the newest checkpoint inside every message"),
    Attack(7, _ON, "A rollback to an old checkpoint", "The size last accepted is kept"),
    Attack(8, OPERATOR, "A freeze: nothing is published any more",
           "Heartbeats and witnesses' times: a directory that is stale gets no new contacts"),
    Attack(9, _ON, "A false «there is no such user»", "Absence is proved, presence remembered"),
    Attack(10, OPERATOR, "Two entries for one user", "The VRF gives each address one place"),
    Attack(11, OPERATOR, "A wrong map beside a right log",
           "Auditors that replay the log do not cosign; devices of small directories replay it too",
           told="In a directory of more than 20,000 users devices rely on auditors"),
    Attack(12, GOVERNMENT, "A witness that obeys cosigns a fork",
           "One of three is no quorum; the others, asked for theirs, keep both notes as evidence"),
    Attack(13, OPERATOR, "A witness's state is lost or rolled back",
           "An anchor beside its database: it refuses to sign",
           told="Who sets back both together makes a witness that knows nothing; its operator must "
           "retire it"),
    Attack(14, OPERATOR, "The log's data is hidden, its roots are kept",
           "An auditor that cannot replay does not cosign; a device that replays says so"),
    Attack(15, OPERATOR, "A ghost member by an Add or a Commit that the server makes",
           "Signatures of members and the membership tag"),
    Attack(16, _OI, "A ghost member by an external Commit", "None is taken"),
    Attack(17, OPERATOR, "A ghost member by an external sender or proposal",
           "No proposal is taken, not even a member's own: changes come as Commits"),
    Attack(18, _OI, "A member adds a false colleague",
           "A leaf whose device id is not made of its key is refused; any other is looked up by "
           "each member, shown as not the person's device, and put out before they write"),
    Attack(19, _OI, "A Welcome into a false group",
           "All leaves are looked up; the person sees who added them"),
    Attack(20, OPERATOR, "A key package of another, or one handed out twice",
           "The leaf must be in the chain; a key package seen before is an alarm"),
    Attack(21, _ON, "Messages and Commits are replayed", "Each key opens once; epochs"),
    Attack(22, OPERATOR, "Messages come late or out of order",
           "They are shown once each, or a gap is shown"),
    Attack(23, OPERATOR, "Messages are dropped",
           "Counters inside the encryption: the next message shows the gap",
           told="What is dropped is lost, and after the last message of all nothing shows it"),
    Attack(24, _ON, "A message is killed by a forged copy that comes first",
           "A failure uses up no key"),
    Attack(25, OPERATOR, "A group is forked by different Commits to its halves",
           "The halves share no key; each sees that the other's messages do not open; other "
           "conversations go on, and a new group is made",
           told="No alarm says that it was the server: a member could bring it about as well"),
    Attack(26, INSIDER, "A removed member reads on", "New keys with each Commit"),
    Attack(27, _OI, "A weaker suite", "The chain says on which suites a device insists"),
    Attack(28, OPERATOR, "A suite's number with other parameters",
           "Numbers are of the private range and stand for all parameters together"),
    Attack(29, _ON, "The post-quantum key is stripped from a mail certificate",
           "The chain holds the certificate's hash"),
    Attack(30, _ON, "A mail key by another way (WKD, Autocrypt, a header)",
           "Only the chain names mail keys"),
    Attack(31, _OG, "A tap at the mail gateway",
           "Mail is sealed in memory before it is stored, and marked as readable on its way",
           elsewhere=("tests/hostile/test_canary.py::test_no_secret_is_found_on_the_server",),
           told="An operator who changes the code reads mail from outside while it comes in"),
    Attack(32, _NG, "TLS is stripped or intercepted",
           "Devices pin the server's own key; mail to other domains keeps to their MTA-STS policy "
           "or DANE, and goes in the clear only where neither forbids it",
           elsewhere=(
               "tests/hostile/test_interception.py::"
               "test_an_interceptor_learns_nothing_of_an_activation_and_activates_nothing",
               "tests/hostile/test_interception.py::"
               "test_a_hello_passed_on_by_the_interceptor_is_refused",
               "tests/faults/test_outbound_smtp.py::"
               "test_dane_takes_the_named_certificate_only",
               "tests/faults/test_outbound_smtp.py::"
               "test_an_enforced_policy_wants_a_certificate_of_an_authority",
           ),
           told="A domain without MTA-STS and DANE gets its mail through who stands between; "
           "what was sealed for the reader stays sealed"),
    Attack(33, f"{NETWORK}, {INSIDER}", "Sealed text leaks through a crafted mail (EFAIL)",
           "Whole, intact messages only; nothing is fetched",
           elsewhere=("tests/forge/test_mail_tampering.py",)),
    Attack(34, INSIDER, "A signed mail is passed on as if it were to somebody else",
           "The header is signed with the text: its reader sees the To of the first reader, and is "
           "told that it does not name them",
           told="Nothing binds a signature to whom the mail was sealed for: what was passed on "
           "looks as a blind copy or mail to an alias does"),
    Attack(35, f"{PUBLISHER}, {GOVERNMENT}", "A malicious update for one person",
           "Releases are entries of the same log",
           waits="The entry of a release exists; no updater exists that would install one"),
    Attack(36, OPERATOR, "An altered web client", "No key is used in a page that a server serves",
           waits="No page that the server serves uses a key: the ledger's page has no script"),
    Attack(37, _OI, "Backups of the server are stolen, or a live copy",
           "No private key lies there; a minute after its acknowledgement no parcel does, nor who "
           "received it",
           elsewhere=(
               "tests/faults/test_residue.py::test_a_minute_later_nothing_of_240_deliveries_is_in_"
               "a_copy_a_backup_or_after_sigkill",
               "tests/hostile/test_canary.py::test_no_secret_is_found_on_the_server",
               "tests/properties/test_activation_enrolment.py::"
               "test_a_thief_of_the_whole_database_cannot_activate_with_any_stored_row",
           )),
    Attack(38, INSIDER, "A device's files are stolen",
           "A database that is encrypted by a passphrase (Argon2id) or a key file; new keys after "
           "seven days of use, which an old copy does not have",
           told="Nothing binds it to the machine: who has the passphrase too has the device, until "
           "it is revoked"),
    Attack(39, _ON, "A stolen password or code adds a device",
           "There is no login; a code only begins a reset, which is loud"),
    Attack(40, _OG, "The enrolment key is stolen", "As 2: delay, log, stop"),
    Attack(41, _OG, "Metadata",
           "The stored fields are a published list; sizes in classes; no sender and no group",
           elsewhere=(
               "tests/contracts/test_no_switch.py::test_no_stored_column_names_a_sender_or_a_group",
               "tests/docs/test_inventory.py::test_every_column_of_this_server_is_classified",
               "tests/unit/device/test_envelope.py::"
               "test_a_parcel_shows_neither_group_nor_epoch_and_no_two_are_alike",
           ),
           told="The server sees who is on line, when, and how much"),
    Attack(42, OPERATOR, "The social graph from lookups",
           "Contacts are looked up in one batch, and known ones again with it",
           told="Who asks for somebody for the first time shows it to the server, as does the "
           "claim of a key package"),
    Attack(43, "outsider", "The list of users from the public log",
           "VRF and commitments: a dictionary of addresses finds nothing"),
    Attack(44, "anybody", "Poisoned input to a parser", "Bounds before allocation; one error",
           elsewhere=(
               "tests/properties/test_tlog_any_bytes.py",
               "tests/properties/test_identity_any_bytes.py",
               "tests/properties/test_mls_any_bytes.py",
               "tests/properties/test_mail_any_bytes.py",
           )),
    Attack(45, _ON, "The clock is wrong",
           "Witnesses' times: a device takes it for no earlier than they have told",
           told="Before a device has heard of any witness its own clock is all it has"),
    Attack(46, OPERATOR, "Evidence is suppressed",
           "Both signed notes go out inside messages to contacts, where the server sees nothing",
           told="It is not sent to an auditor by itself"),
    Attack(47, GOVERNMENT, "Silence is ordered, and then a secret feature",
           "No code path of the server can open anything, and this suite is public",
           elsewhere=(
               "tests/contracts/test_import_rules.py::test_the_contracts_hold",
               "tests/contracts/test_no_switch.py::test_the_settings_are_the_ones_looked_at",
           )),
    Attack(48, INSIDER, "A Commit that no member can merge, in order or without, ends the changes "
           "of a group or parts it",
           "What is void follows from its bytes; the server names its digest, and the next Commit "
           "is ordered by that",
           elsewhere=tuple(
               f"tests/scenarios/test_device_void.py::{test}"
               for test in (
                   "test_a_void_commit_in_order_does_not_end_the_changes_of_a_group",
                   "test_a_void_commit_without_order_to_one_member_forks_nothing",
                   "test_a_removal_by_a_void_commit_removes_nobody",
                   "test_a_commit_that_nobody_can_follow_is_given_up_after_three_days",
               )
           ),
           told="One that is ordered and shown to nobody, or fails, holds up changes for three "
           "days"),
    Attack(49, _OI, "A Welcome to a fork, with a removed member in it",
           "What a device writes after it was added again waits until users of its own last tree, "
           "not who added it, say that they are in the same epoch",
           elsewhere=(
               "tests/scenarios/test_device_healing_hostile.py::"
               "test_nothing_is_sealed_on_an_insiders_fork_and_the_true_way_back_stays_open",
               "tests/scenarios/test_device_healing_hostile.py::"
               "test_a_welcome_to_a_conversation_in_step_changes_nothing_but_a_question",
               "tests/scenarios/test_device_healing_hostile.py::test_a_welcome_far_ahead_is_refused",
           )),
    Attack(50, OPERATOR, "The server says that a change was missed, in vain",
           "Its word leads to questions to members only, whose answers end it",
           elsewhere=(
               "tests/scenarios/test_device_healing_hostile.py::"
               "test_a_server_that_says_taken_in_vain_holds_texts_for_minutes",
           ),
           told="Texts there wait until two members have answered, for a day at most"),
    Attack(51, INSIDER, "A storm of questions; a question's key package replayed or passed on",
           "Bounds for each device and each group; the package names its conversation and question",
           elsewhere=(
               "tests/scenarios/test_device_healing_hostile.py::"
               "test_a_device_is_added_again_once_an_hour",
               "tests/scenarios/test_device_healing_hostile.py::"
               "test_a_package_of_a_question_opens_no_other_conversation",
               "tests/scenarios/test_device_healing_hostile.py::"
               "test_a_question_is_served_only_with_its_own_package_and_key",
           )),
    Attack(52, INSIDER, "Somebody's key packages are used up, so that new conversations with them "
           "rest on the one that stays",
           "One user gets five of a device a day; a leaf of a last-resort or an old package has "
           "new keys before its first text",
           elsewhere=(
               "tests/scenarios/test_link_key_packages.py::"
               "test_a_user_gets_five_of_one_device_a_day_and_then_the_last_resort_one",
               "tests/scenarios/test_device_renewal.py::"
               "test_a_leaf_of_a_last_resort_package_is_renewed_before_its_first_text",
           ),
           told="Until then a thief of the private half of that package reads what others write"),
    Attack(53, OPERATOR, "The server names no changes of the ledger, or others, or names them "
           "without end",
           "What it names only brings lookups forward, once a minute for each person; none stands "
           "for a lookup",
           elsewhere=tuple(
               f"tests/scenarios/test_device_pushes.py::{test}"
               for test in (
                   "test_a_push_that_leaves_somebody_out_stands_for_no_lookup",
                   "test_pushes_without_end_bring_no_lookups_without_end",
                   "test_more_changes_than_are_named_look_up_all_contacts_once_a_day",
               )
           ),
           told="Who is left out is looked up before something new begins, else with the lookups "
           "every six hours, 32 people at a time"),
    Attack(54, _OI, "A revoked device adds people, who add others",
           "What a former device and its guests changed is noted: it is undone before anything is "
           "sealed, unless a member of before, who is live now, has spoken since",
           elsewhere=(
               "tests/scenarios/test_device_past.py::"
               "test_what_a_revoked_laptop_and_its_guests_add_gets_no_text",
               "tests/scenarios/test_device_past.py::"
               "test_a_member_whom_a_revoked_laptop_removed_one_device_of_comes_back",
               "tests/scenarios/test_device_past.py::"
               "test_the_phone_that_revoked_the_laptop_stays_and_whom_it_removed_stays_out",
           )),
    Attack(55, _OI, "An old lookup or silent witnesses confirm what a revoked device did",
           "Only a lookup begun after the reading counts; without one the additions go out",
           elsewhere=(
               "tests/scenarios/test_device_past.py::"
               "test_an_old_lookup_confirms_nothing_and_without_one_the_additions_go_out",
               "tests/scenarios/test_device_past.py::"
               "test_while_witnesses_are_silent_additions_go_out_and_removals_stand",
           ),
           told="Without lookups honest additions go out too, and are added again by hand"),
    Attack(56, _OI, "A revoked device invites into a group of accomplices",
           "Nothing is sealed there before another device of its user has spoken, or the person "
           "has said yes",
           elsewhere=(
               "tests/scenarios/test_device_past.py::"
               "test_nothing_is_sealed_where_a_revoked_laptop_invited_before_somebody_vouches",
           )),
    Attack(57, _OI, "A revoked device, or a removed person, writes into an epoch that members can "
           "still read",
           "Refused once everything sent before was delivered, with the alarm "
           "`revoked-device-active`; its keys are deleted, a removed person's after three days",
           elsewhere=(
               "tests/scenarios/test_device_past.py::"
               "test_a_text_of_a_revoked_laptop_that_comes_late_is_refused_with_an_alarm",
               "tests/scenarios/test_device_past.py::"
               "test_a_text_of_a_person_removed_a_month_ago_is_not_shown",
           )),
    Attack(58, _OI, "A revoked device removes a member",
           "The member keeps the epoch and suspects it: two users decide, or the others add them "
           "again",
           elsewhere=(
               "tests/scenarios/test_device_branches.py::"
               "test_a_removal_by_a_former_device_holds_once_two_users_say_so",
               "tests/scenarios/test_device_branches.py::"
               "test_a_removal_that_no_member_has_merged_comes_to_nothing",
               "tests/scenarios/test_device_past.py::"
               "test_whom_a_revoked_laptop_removes_keeps_the_epoch_and_does_not_believe_it",
               "tests/scenarios/test_device_past.py::"
               "test_a_user_whom_a_revoked_laptop_removed_wholly_is_asked_about_and_not_added_back",
           )),
    Attack(59, "insider", "Parts of messages that never come whole, vary, or never end",
           "Opened before they are kept, at most eight, the newest of each place; both have the "
           "SHA-256 of their message. A part that is missing is a Commit that was missed",
           elsewhere=(
               "tests/scenarios/test_device_parts.py::"
               "test_varied_and_swapped_parts_are_not_put_together_and_do_not_stay",
               "tests/scenarios/test_device_parts.py::"
               "test_halves_without_end_fill_no_disk_and_stop_no_commit",
               "tests/scenarios/test_device_parts.py::"
               "test_a_part_that_never_comes_is_a_missed_commit_and_changes_nothing",
           )),
    Attack(60, _OI, "A member is told by one Commit that they are removed, all others by another",
           "The removed device keeps the group for a week: another Commit of the same epoch is a "
           "question to the members, who add it again",
           elsewhere=(
               "tests/scenarios/test_device_branches.py::"
               "test_S6_whom_an_insider_removed_for_themself_alone_comes_back",
               "tests/scenarios/test_device_branches.py::"
               "test_S6_whom_all_call_removed_stays_so_and_the_week_ends",
           ),
           told="While nobody changes the group, and the Commit is theirs alone, they are out"),
    Attack(61, _OI, "A member who is not sure confirms people whom a revoked device added",
           "Who has noted changes says `same` without vouching, and calls nobody removed",
           elsewhere=(
               "tests/scenarios/test_device_branches.py::"
               "test_who_has_noted_something_vouches_for_nobody_and_calls_nobody_removed",
           )),
    Attack(62, _OI, "A Welcome takes a stranded device to a fork that is ahead of the group",
           "Members of its last tree confirm it, or it goes back to the group of before and asks "
           "from there; nothing is sealed meanwhile",
           elsewhere=(
               "tests/scenarios/test_device_branches.py::"
               "test_F7_a_rejoin_that_nobody_confirms_is_given_up_for_the_group_before_it",
               "tests/scenarios/test_device_healing_hostile.py::"
               "test_nothing_is_sealed_on_an_insiders_fork_and_the_true_way_back_stays_open",
           )),
    Attack(63, INSIDER, "Answers that nobody asked for call a device removed",
           "Only the answer of the one who was asked, to that question, is taken",
           elsewhere=(
               "tests/scenarios/test_device_branches.py::"
               "test_F5_nobody_is_removed_by_answers_that_were_not_asked_for",
           )),
    Attack(64, _OI, "A silent fork: a Commit without order takes some members to another branch",
           "The other Commit, or a question of another branch, makes members count users: the "
           "branch with more goes on and adds the others again; its makers count for neither",
           elsewhere=tuple(
               f"tests/scenarios/test_device_forks.py::{test}"
               for test in (
                   "test_H12_of_two_branches_one_remains",
                   "test_H12_a_group_that_was_split_while_nobody_could_be_asked_heals_later",
                   "test_F6_who_made_a_commit_where_branches_part_counts_for_neither",
               )
           ),
           told="While a hostile server keeps the parts away from each other, they stay apart"),
    Attack(65, INSIDER, "A copy of a device's folder has itself added again",
           "Its owner's device did not make the key package: the alarm is `clone`",
           elsewhere=(
               "tests/scenarios/test_device_branches.py::"
               "test_a_device_that_is_added_again_by_a_copys_key_package_raises_an_alarm",
           )),
    Attack(66, _OI, "The tree of a large group comes altered, from another, never, or without end",
           "The signed Welcome names each part by its hash, the group's context the whole; "
           "at most 16 parts are kept",
           elsewhere=(
               "tests/scenarios/test_device_trees.py::"
               "test_altered_and_foreign_parts_are_refused_and_displace_none",
               "tests/scenarios/test_device_trees.py::"
               "test_a_welcome_that_names_a_wrong_tree_or_none_opens_nothing",
               "tests/scenarios/test_device_trees.py::"
               "test_welcomes_without_trees_fill_no_disk",
               "tests/scenarios/test_device_trees.py::"
               "test_strangers_whom_welcomes_name_are_asked_rarely",
           ),
           told="While parts are withheld, their device is not in the group"),
    Attack(67, _OI, "A Commit in order is kept from a member",
           "The server names its digest to whom it refuses another; members who have it send "
           "the same bytes, or add the device again",
           elsewhere=(
               "tests/scenarios/test_device_healing.py::"
               "test_a_commit_that_was_lost_is_given_by_a_member_and_nobody_is_added_again",
               "tests/scenarios/test_device_healing.py::"
               "test_a_member_who_missed_a_commit_is_added_again",
           )),
    Attack(68, INSIDER, "Receipts for texts that were never sent, or for everything",
           "Only own parcels and counts are answered; an unknown one is told; one person's reports "
           "bring nothing into the group; bounds for each device and day",
           elsewhere=tuple(
               f"tests/scenarios/test_device_again_hostile.py::{test}"
               for test in (
                   "test_a_receipt_for_what_was_never_sent_is_told_and_answered_by_nothing",
                   "test_one_liar_who_reports_everything_brings_nothing_into_the_group",
                   "test_what_goes_again_to_a_device_in_a_day_is_bounded",
                   "test_garbage_of_an_insider_is_noted_within_bounds_and_reported_once",
               )
           )),
    Attack(69, INSIDER, "A newcomer, a reset account or a former member asks for texts of before",
           "Only a device that was in the tree of a text's epoch, is in the present one and live "
           "gets it; its author is told",
           elsewhere=tuple(
               f"tests/scenarios/test_device_again_hostile.py::{test}"
               for test in (
                   "test_a_newcomer_gets_no_text_of_before_by_counting_or_by_parcels",
                   "test_an_account_that_was_reset_gets_nothing",
                   "test_who_was_removed_gets_nothing_and_both_are_told",
                   "test_nothing_goes_again_where_the_device_that_asked_is_not",
               )
           )),
    Attack(70, INSIDER, "Somebody joins while a text is about to go to the group again",
           "It is checked when the text is sealed; then it goes to the one who asked, directly",
           elsewhere=tuple(
               f"tests/scenarios/test_device_again_hostile.py::{test}"
               for test in (
                   "test_what_was_for_the_group_goes_to_the_person_if_somebody_has_joined",
               )
           )),
    Attack(71, INSIDER, "A text is sent again into somebody else's group, or to hide another one",
           "Its sender must be in the present tree; it names only their own texts, and closes no "
           "parcel of another author",
           elsewhere=tuple(
               f"tests/scenarios/test_device_again_hostile.py::{test}"
               for test in (
                   "test_nobody_but_a_member_sends_a_text_again_into_a_group",
                   "test_in_a_group_nothing_is_heard_of_other_conversations",
                   "test_a_text_that_goes_again_closes_no_parcel_of_another_author",
               )
           )),
    Attack(72, _OI, "Lines that nobody wrote, handed on by another's device, or history asked for "
           "with the words of a stolen paper",
           "Only live devices of the own user are heard, and a mark names them; one that came by "
           "the words gets the last hour",
           elsewhere=(
               "tests/scenarios/test_device_handing_on.py::test_nobody_else_hands_lines_on",
               "tests/scenarios/test_device_handing_on.py::"
               "test_the_words_of_a_paper_open_no_history",
               "tests/scenarios/test_device_handing_on.py::"
               "test_many_lines_go_in_bounded_messages_one_after_the_other",
           ),
           told="A stolen device can do so until it is revoked"),
    Attack(73, _OG, "A reset, or a stolen phone's revocation, brings a device into groups",
           "Members add a user's new device unasked only if the chain went on without a reset, and "
           "nobody whom a person has removed",
           elsewhere=(
               "tests/scenarios/test_device_recovered.py::"
               "test_nobody_adds_the_device_of_a_reset_unasked",
               "tests/scenarios/test_device_recovered.py::"
               "test_whom_a_person_removes_is_not_added_again",
               "tests/scenarios/test_device_recovered.py::"
               "test_whom_a_person_removes_after_a_loss_is_not_added_again",
           ),
           told="Who has the words of a paper is its user to all, as a thief of it is"),
    Attack(74, _OI, "A device is told in vain of groups that it lacks, or gets empty Welcomes",
           "Answers count only for a week after it asked; it asks once a day, and few people",
           elsewhere=(
               "tests/scenarios/test_device_lost_groups.py::"
               "test_nobody_makes_a_device_ask_that_has_not_asked",
               "tests/scenarios/test_device_lost_groups.py::"
               "test_a_welcome_that_opens_nothing_is_asked_about_once_a_day",
           )),
    Attack(75, OPERATOR, "The ledger is frozen so that a revocation is not seen",
           "After a day without a newer verified epoch no text goes",
           elsewhere=(
               "tests/scenarios/test_device_silent_ledger.py::"
               "test_no_text_goes_after_a_day_without_a_verified_epoch",
           ),
           told="Within that day texts go to a device that was revoked"),
    Attack(76, INSIDER, "A move to another suite that leads nowhere, elsewhere, or without "
           "a member",
           "The Commit in the old group names the new one by what only that exports; it must have "
           "the same devices; the old group goes on where it does not come",
           elsewhere=tuple(
               f"tests/scenarios/test_device_moves_hostile.py::{test}"
               for test in (
                   "test_a_move_whose_welcome_never_comes_changes_nothing",
                   "test_another_group_than_was_announced_is_not_taken",
                   "test_a_group_without_one_of_the_members_is_not_taken",
                   "test_a_group_that_nobody_announced_replaces_none",
               )
           ),
           told="Texts of those to whom it does not come wait until members have answered"),
    Attack(77, _OI, "A stolen laptop moves a group together with whom it added",
           "What is noted in the old group is noted in the new one",
           elsewhere=(
               "tests/scenarios/test_device_moves_hostile.py::"
               "test_whom_a_stolen_laptop_added_does_not_come_along",
           )),
    Attack(78, OPERATOR, "The ledger's time is set back, so that a reset seems to be of long ago",
           "Two officers sign it in the log, once for a fault: a step of over an hour, at most a "
           "week of heads ago. It falls to no time before the fault, of a head or of witnesses",
           elsewhere=(
               *(
                   f"tests/unit/directory/test_head_times.py::{test}"
                   for test in (
                       "test_an_entry_that_does_not_hold_permits_nothing",
                       "test_a_second_fall_on_one_entry",
                       "test_an_entry_that_is_logged_again_permits_nothing",
                       "test_D41_an_entry_of_another_ledger",
                       "test_D41_a_fall_below_the_head_before_the_fault",
                       "test_D41_a_fall_below_the_quorums_time_before_the_fault",
                       "test_D41_a_step_that_is_more_than_a_week_of_heads_ago",
                   )
               ),
               "tests/scenarios/test_device_ledger_time.py::"
               "test_the_time_falls_without_an_entry_and_devices_tell_it",
               "tests/scenarios/test_device_ledger_time.py::"
               "test_the_time_falls_below_what_a_device_knew_of_witnesses_and_it_tells_it",
           ),
           told="Two officers and the server together can shorten the delay of a reset by as long "
           "as the fault lasted that they claim"),
    Attack(79, _OI, "A device is sent without end: listings of mail, larger mails than listed, "
           "frames that it does not read, parcels that nobody can open, a stock that is always "
           "empty",
           "Each has its bound; what is not read stays on the network. Listings must keep to what "
           "was said before: else the link is ended, the device keeps what it has, and the alarm "
           "`overrun` tells its person. Of parcels that do not open those of whom "
           "most are go first",
           elsewhere=(
               "tests/faults/test_hostile_floods.py::"
               "test_a_listing_beyond_its_bounds_is_an_alarm_and_the_device_keeps_what_it_has",
               *(
                   f"tests/faults/test_hostile_floods.py::{test}"
                   for test in (
                       "test_what_is_not_read_is_bounded_by_its_number_too",
                       "test_a_server_that_pings_and_does_not_read_gets_no_pongs",
                       "test_a_server_that_ends_each_link_at_once_is_tried_with_growing_pauses",
                   )
               ),
               "tests/faults/test_export_mail.py::"
               "test_a_server_that_gives_too_much_or_nothing_is_refused",
               "tests/scenarios/test_device_floods.py::"
               "test_junk_without_end_fills_no_database_and_pushes_out_no_known_senders",
               "tests/scenarios/test_device_floods.py::"
               "test_one_insider_pushes_out_nothing_but_their_own",
               "tests/scenarios/test_device_claims.py::"
               "test_a_server_that_says_without_end_that_none_are_left_gets_new_ones_once_an_hour",
               "tests/scenarios/test_device_claims.py::"
               "test_a_stock_that_is_empty_for_ever_fills_no_disk_and_is_an_alarm",
           )),
)  # fmt: skip
