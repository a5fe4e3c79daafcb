"""The numbered validation rules of RFC 9420. A refusal carries the broken rule.

Numbers are permanent. `docs/mls-rules.md`, generated from this list, the code and the tests, says
where each rule is checked and broken.
"""

from enum import Enum


class Rule(Enum):
    """A rule: its number, its section of RFC 9420, and what must hold."""

    def __init__(self, number: int, section: str, text: str) -> None:
        self.number = number
        self.section = section
        self.text = text

    # fmt: off

    # --- Encoding ---
    SYNTAX = 101, "2.1", "The bytes are a whole encoding of what they should be."
    SHORTEST_LENGTH = 102, "2.1.2", "A vector's length is in its shortest form."
    PRESENCE = 103, "2.1.1", "An optional value starts with 0 or 1."
    NOTHING_FOLLOWS = 104, "6", "No byte follows the end of a value."
    MESSAGE_VERSION = 105, "6", "An MLSMessage is of version mls10."
    WIRE_FORMAT = 106, "17.2", "The wire format is a known one."
    MESSAGE_KIND = 107, "6", "The message is of the kind that is expected where it is handed in."
    CONTENT_TYPE = 108, "6", "The content type is a known one."
    SENDER_TYPE = 109, "6", "The sender type is a known one."
    LEAF_SOURCE = 110, "7.2", "The source of a leaf is a known one."
    NODE_TYPE = 111, "12.4.3.3", "A node is a leaf or a parent."
    PROPOSAL_TYPE = 112, "13.2", "The proposal type is one that all members support."
    PROPOSAL_OR_REF = 113, "12.4", "A Commit names a proposal by value or by reference."
    PSK_TYPE = 114, "8.4", "The PSK type is a known one."
    PSK_USAGE = 115, "8.4", "The usage of a resumption PSK is a known one."
    CREDENTIAL_TYPE = 116, "13.3", "The credential type is a supported one."
    EXTENSION_ONCE = 117, "13.4", "A list of extensions has no type twice."
    CIPHER_SUITE = 118, "5.1", "The cipher suite is a supported one."

    # --- Framing ---
    GROUP_ID = 201, "6", "A message is handed to the group that it names."
    EPOCH = 202, "12.4.2", "A message is of the present epoch, application data of a kept one."
    SENDER_DATA_OPENS = 203, "6.3.2", "The sender data of a PrivateMessage opens."
    SENDER_IS_MEMBER = 204, "6.3.2", "The leaf index of the sender is no blank leaf's."
    CONTENT_OPENS = 205, "6.3.1", "The content of a PrivateMessage opens."
    PADDING_ZERO = 206, "6.3.1", "The padding of a PrivateMessage is all zeros."
    KEY_ONCE = 207, "9.2", "A message key is used once."
    RATCHET_BOUND = 208, "15.3", "A message is not too many generations ahead."
    CONTENT_SIGNATURE = 209, "6.1", "The sender that is named signed the content."
    CONFIRMATION_TAG = 210, "6.1", "The confirmation tag of a Commit holds."
    MEMBERSHIP_TAG = 211, "6.2", "The membership tag of a member's PublicMessage holds."
    APPLICATION_PRIVATE = 212, "6", "Application data travels in PrivateMessages only."
    PRIVATE_HANDSHAKES = 213, "6", "Members send PrivateMessages, where the policy asks for it."
    OUTSIDER_CONTENT = 214, "6.1", "An outsider sends proposals, or a Commit by which it joins."

    # --- Leaf nodes ---
    CREDENTIAL_VALID = 301, "5.3.1", "The application validates each new credential."
    LEAF_SIGNATURE = 302, "7.3", "A leaf signed itself, for its group and place."
    LEAF_VERSION = 303, "11.1", "A leaf supports MLS 1.0."
    LEAF_OWN_CREDENTIAL = 304, "7.2", "A leaf supports its own credential type."
    LEAF_OWN_EXTENSIONS = 305, "7.3", "A leaf supports its own extensions."
    LEAF_KEY_VALID = 306, "10", "The encryption key of a leaf is one of the cipher suite."
    LIFETIME_NOW = 307, "7.3", "The present time lies in the lifetime of a leaf that is added."
    LIFETIME_LENGTH = 308, "7.2", "The lifetime of a leaf is not longer than the maximum."
    REQUIRED_EXTENSIONS = 309, "7.3", "A leaf supports the required extensions."
    REQUIRED_PROPOSALS = 310, "7.3", "A leaf supports the required proposals."
    REQUIRED_CREDENTIALS = 311, "7.3", "A leaf supports the required credential types."
    GROUP_EXTENSIONS = 312, "13.4", "A leaf supports every extension of the GroupContext."
    CREDENTIALS_TOGETHER = 313, "7.3", "All members support all members' credential types."
    SIGNATURE_KEYS_UNIQUE = 314, "7.3", "No two members have the same signature key."
    LEAF_KEYS_UNIQUE = 315, "7.3", "No two members have the same encryption key."

    # --- Ratchet trees ---
    TREE_END = 401, "12.4.3.3", "The last node of a ratchet tree is not blank."
    TREE_PLACES = 402, "12.4.3.3", "Leaves stand at even places, parents at odd ones."
    TREE_HASH = 403, "12.4.3.1", "The tree's hash is the one in the GroupContext."
    UNMERGED_SORTED = 404, "7.1", "Unmerged leaves are in ascending order."
    UNMERGED_BELOW = 405, "12.4.3.1", "An unmerged leaf is a member below its node."
    UNMERGED_BETWEEN = 406, "12.4.3.1", "An unmerged leaf is listed by every parent between."
    PARENT_HASH = 407, "7.9.2", "Every parent is vouched for by a descendant's parent hash."
    PARENT_KEYS_UNIQUE = 408, "12.4.3.1", "No parent's encryption key stands twice in the tree."

    # --- Key packages ---
    KEY_PACKAGE_VERSION = 501, "10", "A key package is of version mls10."
    KEY_PACKAGE_SUITE = 502, "10.1", "A key package that is added is of the group's cipher suite."
    KEY_PACKAGE_SOURCE = 503, "7.3", "The leaf of a key package has source key_package."
    KEY_PACKAGE_SIGNATURE = 504, "10.1", "The owner of the leaf signed the key package."
    INIT_KEY_OWN = 505, "10.1", "The init key is not the leaf's encryption key."
    INIT_KEY_VALID = 506, "10", "The init key is one of the cipher suite."

    # --- Proposals ---
    REMOVES_MEMBER = 601, "12.1.3", "A Remove names a leaf that is not blank."
    UPDATE_SOURCE = 602, "7.3", "The leaf of an Update has source update."
    UPDATE_NEW_KEY = 603, "7.3", "The leaf of an Update has a new encryption key."
    PSK_USAGE_HERE = 604, "12.1.4", "A PSK for reinit or branch is used for nothing else."
    PSK_NONCE = 605, "12.1.4", "The nonce of a PSK has Nh bytes."
    PSK_KNOWN = 606, "12.4.2", "The PSKs of a Commit are known."
    NO_OWN_UPDATE = 607, "12.2", "A Commit holds no Update of its committer."
    NO_OWN_REMOVE = 608, "12.2", "A Commit does not remove its committer."
    ONE_CHANGE = 609, "12.2", "A Commit updates or removes a leaf only once."
    ADDED_ONCE = 610, "12.2", "A Commit adds a client only once."
    ADDED_IS_NEW = 611, "12.2", "A client that is added is no member, unless it is removed."
    PSK_ONCE = 612, "12.2", "A Commit uses a PSK id only once."
    EXTENSIONS_REPLACED_ONCE = 613, "12.2", "A Commit replaces the group's extensions only once."
    REINIT_ALONE = 614, "12.2", "A Commit that has a ReInit has no other proposal."
    REINIT_VERSION = 615, "12.1.5", "A ReInit does not lower the version."
    NO_EXTERNAL_INIT = 616, "12.2", "A member's Commit has no ExternalInit."
    EXTERNAL_SENDER_KNOWN = 617, "12.1.8.1", "The GroupContext names the external sender."
    OUTSIDER_TYPE = 618, "12.1.8", "An external sender proposes what external senders may."
    NEW_MEMBER_ADDS = 619, "6.1", "A new member proposes nothing but to add itself."

    # --- Commits ---
    REFERENCE_KNOWN = 701, "12.4.2", "A proposal that is named by reference was received."
    PATH_REQUIRED = 702, "12.4", "A Commit whose proposals need a path has one."
    PATH_SOURCE = 703, "12.4.2", "The leaf of a path has source commit."
    PATH_LENGTH = 704, "7.5", "A path has a node for each of the filtered direct path."
    PATH_KEYS_NEW = 705, "12.4.2", "The public keys of a path stand nowhere in the tree."
    PATH_KEYS_VALID = 706, "7.6", "The public keys of a path are of the cipher suite."
    PATH_PARENT_HASH = 707, "7.9.2", "The parent hash of the path's leaf is right."
    PATH_CIPHERTEXTS = 708, "7.6", "A path node is sealed once to each node of the resolution."
    PATH_OPENS = 709, "7.5", "The path secret for this member opens."
    PATH_SECRET_FITS = 710, "7.5", "Path secrets give the public keys that came with them."

    # --- Welcomes ---
    WELCOME_FOR_US = 801, "12.4.3.1", "A Welcome names the key package that is to join."
    WELCOME_SUITE = 802, "12.4.3.1", "Welcome and key package are of one cipher suite."
    WELCOME_OPENS = 803, "12.4.3.1", "The group secrets open with the key package's init key."
    WELCOME_PSK_KNOWN = 804, "12.4.3.1", "The PSKs of a Welcome are known."
    WELCOME_PSK_ONCE = 805, "12.4.3.1", "A Welcome names a PSK only once."
    GROUP_INFO_OPENS = 806, "12.4.3.1", "The group info opens with the joiner secret."
    GROUP_INFO_SUITE = 807, "12.4.3.1", "Group info and key package are of one cipher suite."
    GROUP_INFO_SIGNER = 808, "12.4.3.1", "The signer of the group info is a member."
    GROUP_INFO_SIGNATURE = 809, "12.4.3", "The signer that is named signed the group info."
    TREE_GIVEN = 810, "12.4.3.1", "The ratchet tree comes in the Welcome or beside it."
    OWN_LEAF_FOUND = 811, "12.4.3.1", "The leaf of the key package stands in the tree."
    WELCOME_PATH_SECRET = 812, "12.4.3.1", "The path secret gives the tree's public keys."
    WELCOME_TAG = 813, "12.4.3.1", "The confirmation tag in the group info holds."
    GROUP_VERSION = 814, "8.1", "A GroupContext is of version mls10."
    EXTERNAL_PUB_GIVEN = 815, "12.4.3.2", "The group info for an external join has external_pub."

    # --- External Commits ---
    EXTERNAL_COMMIT_PATH = 901, "12.4.3.2", "An external Commit has a path."
    EXTERNAL_BY_VALUE = 902, "12.4.3.2", "An external Commit has its proposals by value."
    EXTERNAL_ONE_INIT = 903, "12.2", "An external Commit has exactly one ExternalInit."
    EXTERNAL_ONE_REMOVE = 904, "12.2", "An external Commit removes at most one member."
    EXTERNAL_NO_OTHER = 905, "12.2", "An external Commit has ExternalInit, Remove and PSKs only."
    EXTERNAL_NEW_KEY = 906, "12.2", "A joiner that replaces its old leaf has a new key."
    EXTERNAL_INIT_VALID = 907, "8.3", "The KEM output of an ExternalInit is one."

    # --- Groups that follow a group ---
    ONE_PREDECESSOR = 1001, "12.4.3.1", "A Welcome has one PSK for reinit or branch at most."
    SUCCESSOR_EPOCH = 1002, "12.4.3.1", "A group that follows another begins with epoch 1."
    REINIT_HAPPENED = 1003, "12.4.3.1", "The last Commit of the old group has the ReInit."
    REINIT_PROMISED = 1004, "11.2", "The new group is what the ReInit said."
    BRANCH_SUITE = 1005, "11.3", "A branch has the version and cipher suite of its group."
    SUCCESSOR_MEMBERS = 1006, "12.4.3.1", "The new group has the members that it must."

    # fmt: on
