"""Why housekeeping stops. It has no route: the sentences are for the operator at the terminal."""


class HousekeepingStopped(Exception):
    """Nothing more was removed; what was removed before was rightly so."""


class AlreadyRunning(HousekeepingStopped):
    def __init__(self) -> None:
        super().__init__("another gc is at work on this database")


class TurnLost(HousekeepingStopped):
    def __init__(self) -> None:
        super().__init__("the database was away for too long; run it again")


class ForeignStore(HousekeepingStopped):
    def __init__(self, orphans: int) -> None:
        super().__init__(
            f"the database names none of the objects that are old enough to be judged ({orphans}): it seems not to "
            "be that of this store. Compare SCAIFLOW_DB_URL and SCAIFLOW_STORE_URL; with --force they are all removed"
        )
