"""Why a socket is closed. y-websocket comes again after every code but those from 4400 to 4499."""

from typing import Final, NamedTuple


class Closing(NamedTuple):
    """A close code, and a sentence for people of at most 123 bytes."""

    code: int
    reason: str


MALFORMED: Final = Closing(4400, "malformed message")
NOT_AUTHENTICATED: Final = Closing(4401, "the token is missing, bad or expired")
NO_ACCESS: Final = Closing(4403, "you may not view this flow")
NO_FLOW: Final = Closing(4404, "no such flow")
FLOW_DELETED: Final = Closing(4409, "the flow was deleted")
OTHER_EPOCH: Final = Closing(4410, "the draft was begun anew: reload")
TOO_LARGE: Final = Closing(4413, "too large")
TOO_MANY_PEERS: Final = Closing(4529, "too many have this flow open: try again later")
TRY_AGAIN: Final = Closing(1012, "try again")
TOO_SLOW: Final = Closing(1013, "too slow: try again")
UNAVAILABLE: Final = Closing(1013, "not available at the moment: try again")
"""What the draft rests on does not answer."""
