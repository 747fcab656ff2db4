"""How identities are divided among those who keep figures ready, and who stands for all of them."""

from uuid import UUID

EVERYBODY = UUID(int=2**128 - 1)
"""In whose name each shared event counts once: the organization's figures add up from it."""
SHARDS = 4
"""So many may keep the figures of one organization at the same time."""


def shard_of(identity_id: UUID) -> int:
    """The shard of an identity, from 0 on; nobody (the nil UUID) and EVERYBODY have theirs as well."""
    return identity_id.bytes[-1] % SHARDS
