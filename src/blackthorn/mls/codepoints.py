"""The numbers of RFC 9420 (section 17) and of the drafts that Blackthorn follows."""

from typing import Final

MLS10: Final = 1

# Wire formats (6)
PUBLIC_MESSAGE: Final = 1
PRIVATE_MESSAGE: Final = 2
WELCOME: Final = 3
GROUP_INFO: Final = 4
KEY_PACKAGE: Final = 5

# Content types (6)
APPLICATION: Final = 1
PROPOSAL: Final = 2
COMMIT: Final = 3

# Sender types (6)
MEMBER: Final = 1
EXTERNAL: Final = 2
NEW_MEMBER_PROPOSAL: Final = 3
NEW_MEMBER_COMMIT: Final = 4

# Leaf node sources (7.2)
SOURCE_KEY_PACKAGE: Final = 1
SOURCE_UPDATE: Final = 2
SOURCE_COMMIT: Final = 3

# Proposal types (12.1)
ADD: Final = 1
UPDATE: Final = 2
REMOVE: Final = 3
PSK: Final = 4
REINIT: Final = 5
EXTERNAL_INIT: Final = 6
GROUP_CONTEXT_EXTENSIONS: Final = 7
DEFAULT_PROPOSALS: Final = range(ADD, GROUP_CONTEXT_EXTENSIONS + 1)

# Extension types (13.3); the first five need not be listed in capabilities (7.2)
APPLICATION_ID: Final = 0x0001
RATCHET_TREE: Final = 0x0002
REQUIRED_CAPABILITIES: Final = 0x0003
EXTERNAL_PUB: Final = 0x0004
EXTERNAL_SENDERS: Final = 0x0005
DEFAULT_EXTENSIONS: Final = range(APPLICATION_ID, EXTERNAL_SENDERS + 1)
LAST_RESORT: Final = 0x000A
"""Key package extension of draft-ietf-mls-extensions, 3.3; its data is empty."""

APPLICATION_EXTENSION: Final = 0xFB10
"""Private use: what the application binds to a group's context. MLS carries it unread."""

# Credential types (5.3)
BASIC: Final = 1
X509: Final = 2

# PSK types and usages (8.4)
PSK_EXTERNAL: Final = 1
PSK_RESUMPTION: Final = 2
USAGE_APPLICATION: Final = 1
USAGE_REINIT: Final = 2
USAGE_BRANCH: Final = 3

GREASE: Final = tuple(0x0A0A + 0x1010 * n for n in range(15))
"""Values that mean nothing and must be ignored wherever they are met (13.5)."""
