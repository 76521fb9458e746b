"""Announcements within one process."""

from scaiflow_api.live import open_announcements


async def test_receivers_of_a_topic_get_its_messages_until_they_leave() -> None:
    announcements = open_announcements(None)
    one: list[bytes] = []
    other: list[bytes] = []
    announcements.subscribe("draft", one.append)
    announcements.subscribe("draft", other.append)
    announcements.subscribe("elsewhere", other.append)

    announcements.publish("draft", b"first")
    announcements.unsubscribe("draft", one.append)
    announcements.publish("draft", b"second")
    announcements.unsubscribe("draft", other.append)
    announcements.publish("draft", b"third")
    announcements.publish("elsewhere", b"there")
    announcements.publish("nowhere", b"lost")

    assert (one, other) == ([b"first"], [b"first", b"second", b"there"])
    await announcements.close()
