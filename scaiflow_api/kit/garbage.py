"""How a process looks for garbage. Programs decide that when they start; libraries never do.

Counting references frees nearly everything here at once. The search is for the rest, what refers to itself. Left at
its defaults, it goes through all of a large document again and again while that is read: half of the time that
5,000 nodes take.
"""

import gc

NEW_OBJECTS = 500_000
"""So many more than have gone make it look among them; the default is 700.

About what a document at the limits takes while it is compiled, which is searched in vain. Were all of them garbage it
would be about a hundred megabytes, but requests leave hardly any: after 12,700 reads, lists, saves and refusals there
were fewer than 20,000 objects more than before.
"""


def look_rarely() -> None:
    """Look after many thousands of new objects instead of hundreds, and among older ones as much later."""
    gc.set_threshold(NEW_OBJECTS, 10, 10)


def keep_what_is_loaded() -> None:
    """Do so from here on, and never look through what is there: in a server that stays for good."""
    look_rarely()
    gc.freeze()
