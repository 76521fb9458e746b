"""Schedules that never come, and time zones that nobody knows."""

import re

import pytest
from compiler_documents import JSON, a_node, a_text
from compiler_findings import codes, found
from compiler_ways import a_flow_of_ways

from scaiflow_api.compiler.knowledge.cron import NICKNAMES, read_cron
from scaiflow_api.compiler.knowledge.time_zones import TIME_ZONES


@pytest.mark.parametrize(
    ("cron", "fires"),
    [
        ("0 0 30 2 *", False),
        ("0 0 31 4,6,9,11 *", False),
        ("0 0 30,31 FEB *", False),
        ("0 0 29 2 *", True),
        ("0 0 31 1-12 *", True),
        ("0 0 30 2 MON", True),
        ("0 0 L 2 *", True),
        ("0 0 LW 2 *", True),
        ("0 0 * 2 MON#5", True),
        ("0 0 */30 * MON#3", False),
        ("0 0 */30 * 5L", True),
        ("0 0 */21 4 5L", False),
        ("* * * * *", True),
    ],
)
def test_schedules_that_never_come(cron: str, fires: bool) -> None:
    assert read_cron(cron).ever_fires is fires


@pytest.mark.parametrize(
    "text", ["", "* * * *", "* * * * * *", "61 * * * *", "0 0 32 1 *", "0 0 1 13 *", "a b c d e"]
)
def test_malformed_schedules_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_cron(text)


@pytest.mark.parametrize(
    ("cron", "sentence"),
    [
        ("61 * * * *", "the minute cannot be '61': expected 0 to 59"),
        ("0 9-5 * * *", "the hour cannot be '9-5': expected 0 to 23; ranges go upwards"),
        ("0 0 ? * *", "the day of the month cannot be '?': expected 1 to 31"),
        ("0 0 * FOO *", "the month cannot be 'FOO': expected 1 to 12, or JAN to DEC"),
        ("0 0 * * fri-mon", "the day of the week cannot be 'fri-mon': expected 0 to 7, or SUN to SAT"),
        ("0 0 0 1 1 *", "expected five fields (minute, hour, day, month, day of the week); found 6"),
        ("@daily", "write 0 0 * * *"),
    ],
)
def test_what_is_wrong_with_a_schedule_is_said(cron: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)):
        read_cron(cron)


@pytest.mark.parametrize("cron", NICKNAMES.values())
def test_what_stands_for_a_nickname_can_be_read(cron: str) -> None:
    assert read_cron(cron).ever_fires


def scheduled(**config: str) -> JSON:
    nodes = [a_node("tick", "entry_schedule", config=config), a_text("a")]
    return a_flow_of_ways(nodes, "tick>a")


def test_a_schedule_that_never_fires_is_a_warning() -> None:
    assert codes(scheduled(cron="0 6 30 2 *")) == ["SF215"]
    assert codes(scheduled(cron="0 6 29 2 *")) == []


@pytest.mark.parametrize(
    ("timezone", "fix"),
    [
        ("Europe/Amsterdam", None),
        ("UTC", None),
        ("europe/amsterdam", "did you mean 'Europe/Amsterdam'?"),
        ("Europe/Amsterdm", "did you mean 'Europe/Amsterdam'?"),
        ("GMT+2", "name a place, such as Europe/Amsterdam, or UTC"),
        ("Z", "name a place, such as Europe/Amsterdam, or UTC"),
        ("CEST", "name a place, such as Europe/Amsterdam, or UTC"),
        ("PST", "name a place, such as Europe/Amsterdam, or UTC"),
        ("JAPAN", "did you mean 'Japan'?"),
        ("Japn", "did you mean 'Japan'?"),
    ],
)
def test_unknown_time_zones_are_found(timezone: str, fix: str | None) -> None:
    assert [found_fix for *_, found_fix in found(scheduled(timezone=timezone), "SF216")] == (
        [fix] if fix else []
    )


def test_the_names_of_time_zones_are_sorted_and_many() -> None:
    assert {"UTC", "Europe/Amsterdam", "America/New_York", "Asia/Kolkata", "Etc/GMT+5"} <= TIME_ZONES
    assert len(TIME_ZONES) > 550
