"""How long a caller waits for what the vault can't answer at once."""

from typing import Final

#: A share on a directory of more than an hour is answered after that was refreshed and the agency looked up, each
#: in a minute at most. Who gives up sooner calls refused what may still be accepted.
DECISION_S: Final = 150.0
