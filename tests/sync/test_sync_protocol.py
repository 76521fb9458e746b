"""The frames of y-websocket, who is where, and what a change does to a draft: pure, against pycrdt's own writers."""

import random
from contextlib import suppress

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycrdt import (
    Doc,
    Map,
    create_awareness_message,
    create_sync_message,
    create_update_message,
    write_var_uint,
)

from scaiflow_api.domains.sync import awareness
from scaiflow_api.domains.sync.awareness import MOST_CLIENTS, Entry, Person, SaidTooMuch, WhoIsWhere
from scaiflow_api.domains.sync.keeper.kept_document import (
    CHANGED,
    INVALID,
    NOTHING_NEW,
    OTHER_EPOCH,
    KeptDocument,
)
from scaiflow_api.domains.sync.protocol import (
    Awareness,
    QueryAwareness,
    State,
    Update,
    answer_frame,
    awareness_frame,
    clients_of,
    decoded,
    state_frame,
    update_frame,
)
from scaiflow_api.domains.sync.varints import Malformed, Reader, encoded

BOB = Person("tnt_acme", "usr_bob", "Bob")
EVE = Person("tnt_acme", "usr_eve", "Eve")
SEED_CLIENT = 2**32 + 77


@given(st.integers(0, 2**53 - 1))
def test_numbers_are_written_as_others_write_them(number: int) -> None:
    assert encoded(number) == write_var_uint(number)
    assert Reader(encoded(number)).number() == number


@given(st.binary(max_size=40))
def test_any_frame_is_read_or_malformed(frame: bytes) -> None:
    try:
        message = decoded(frame)
    except Malformed:
        return
    assert isinstance(message, State | Update | Awareness | QueryAwareness)


@given(st.binary(max_size=60))
def test_any_awareness_is_read_or_malformed(update: bytes) -> None:
    who = WhoIsWhere[str]()
    try:
        heard = who.hear(update, "socket", BOB, 0)
    except Malformed:
        return
    assert awareness.decoded(awareness.written(heard)) == heard


def test_frames_are_those_of_the_protocol() -> None:
    doc: Doc[Map] = Doc(client_id=5)
    doc.get("flow", type=Map)["a"] = 1
    update, vector = doc.get_update(), doc.get_state()

    assert decoded(create_sync_message(doc)) == State(vector)
    assert decoded(create_update_message(update)) == Update(update, answers=False)
    assert decoded(answer_frame(update)) == Update(update, answers=True)
    assert (state_frame(vector), update_frame(update)) == (
        create_sync_message(doc),
        create_update_message(update),
    )
    assert decoded(create_awareness_message(b"abc")) == Awareness(b"abc") == decoded(awareness_frame(b"abc"))
    assert decoded(b"\x03") == QueryAwareness()
    assert clients_of(vector) == {5: 1}
    for more in (b"\x00\x03\x00", b"\x09", update_frame(update) + b"\x00", b""):
        with pytest.raises(Malformed):
            decoded(more)


def said(client: int, clock: int, state: object) -> bytes:
    return awareness.written([Entry(client, clock, orjson.dumps(state))])


class TestWhoIsWhere:
    def test_a_name_is_the_persons_own(self) -> None:
        who = WhoIsWhere[str]()
        (heard,) = who.hear(said(1, 1, {"user": {"name": "Eve", "color": "red"}, "x": 1}), "bob", BOB, 0)

        user = {"name": "Bob", "id": "usr_bob", "color": "red"}
        assert orjson.loads(heard.state) == {"user": user, "x": 1}

    def test_nobody_speaks_for_another(self) -> None:
        who = WhoIsWhere[str]()
        who.hear(said(1, 1, {}), "bob", BOB, 0)

        assert who.hear(said(1, 2, {}), "eve", EVE, 0) == []
        assert who.hear(said(1, 3, None), "eve", EVE, 0) == []
        assert who.hear_from_afar(said(1, 4, None), 0) == []
        assert len(who.hear(said(1, 2, {"x": 1}), "bob", BOB, 0)) == 1

    def test_what_is_older_is_not_said_again(self) -> None:
        who = WhoIsWhere[str]()
        who.hear(said(1, 5, {}), "bob", BOB, 0)

        assert who.hear(said(1, 5, {"x": 1}), "bob", BOB, 0) == []
        assert who.hear(said(1, 4, {"x": 1}), "bob", BOB, 0) == []
        (gone,) = who.hear(said(1, 5, None), "bob", BOB, 0)
        assert gone.gone
        assert who.all() == []

    def test_whoever_leaves_is_gone_with_all_clients(self) -> None:
        who = WhoIsWhere[str]()
        for client in range(3):
            who.hear(said(client, 1, {}), "bob", BOB, 0)
        who.hear(said(9, 1, {}), "eve", EVE, 0)

        assert [(entry.client, entry.gone) for entry in who.leave("bob")] == [
            (0, True),
            (1, True),
            (2, True),
        ]
        assert [entry.client for entry in who.all()] == [9]

    def test_a_socket_speaks_for_a_few_clients_at_most(self) -> None:
        who = WhoIsWhere[str]()
        for client in range(MOST_CLIENTS + 5):
            who.hear(said(client, 1, {}), "bob", BOB, 0)

        assert len(who.all()) == MOST_CLIENTS

    def test_an_echo_that_comes_after_its_maker_left_makes_nobody_speak_for_the_client(self) -> None:
        """y-websocket repeats what it hears, and its repetition may be on the way when the other one leaves."""
        for leave in (
            lambda who: who.leave("bob"),
            lambda who: who.hear(said(1, 5, None), "bob", BOB, 0),
        ):
            who = WhoIsWhere[str]()
            who.hear(said(1, 5, {}), "bob", BOB, 0)
            leave(who)

            assert who.hear(said(1, 5, {}), "eve", EVE, 0) == []
            assert who.all() == []
            assert len(who.hear(said(1, 5, {}), "bob again", BOB, 0)) == 1

    def test_an_echo_of_who_left_elsewhere_neither(self) -> None:
        who = WhoIsWhere[str]()
        who.hear_from_afar(said(1, 5, {"user": {"id": "usr_bob"}}), 0)
        who.hear_from_afar(said(1, 5, None), 0)

        assert who.hear(said(1, 5, {}), "eve", EVE, 0) == []
        assert len(who.hear(said(1, 5, {}), "bob", BOB, 0)) == 1

    def test_of_two_windows_of_one_person_each_speaks_for_itself(self) -> None:
        """Though each repeats what the other says."""
        who = WhoIsWhere[str]()
        who.hear(said(1, 5, {}), "one", BOB, 0)
        who.hear(said(2, 5, {}), "other", BOB, 0)
        who.hear(said(2, 5, {}), "one", BOB, 0)
        who.hear(said(1, 5, {}), "other", BOB, 0)

        assert [(entry.client, entry.gone) for entry in who.leave("one")] == [(1, True)]
        assert [entry.client for entry in who.all()] == [2]

    def test_who_comes_again_before_the_old_socket_is_gone_stays(self) -> None:
        who = WhoIsWhere[str]()
        who.hear(said(1, 5, {}), "bob", BOB, 0)
        who.hear(said(1, 5, {}), "bob again", BOB, 0)

        assert who.leave("bob") == []
        assert [entry.client for entry in who.all()] == [1]

    def test_what_is_said_of_ones_own_clients_has_a_bound_and_what_is_repeated_has_none(self) -> None:
        who = WhoIsWhere[str](most_bytes=100)
        who.hear(said(1, 1, {"x": "x" * 80}), "bob", BOB, 0)
        who.hear(said(2, 1, {"x": "x" * 80}), "bob", BOB, 0)

        assert who.hear(awareness.written(who.all()), "eve", EVE, 0) == []
        with pytest.raises(SaidTooMuch):
            who.hear(said(9, 1, {"x": "x" * 100}), "eve", EVE, 0)

    def test_who_is_elsewhere_is_forgotten_when_nothing_is_heard(self) -> None:
        who = WhoIsWhere[str]()
        assert len(who.hear_from_afar(said(1, 1, {}), now=0)) == 1
        assert who.hear_from_afar(said(2, 1, None), now=0) == []
        assert who.ours() == []
        assert who.forget_silent(now=29) == []
        assert [(entry.client, entry.gone) for entry in who.forget_silent(now=31)] == [(1, True)]
        assert who.all() == []

    def test_who_comes_from_a_process_that_died_goes_on_as_before(self) -> None:
        """Nobody says that they are gone there, and for half a minute they would stand still."""
        (there,) = WhoIsWhere[str]().hear(said(1, 5, {}), "bob there", BOB, 0)
        for clock, heard in ((5, 0), (6, 1)):
            who = WhoIsWhere[str]()
            who.hear_from_afar(awareness.written([there]), now=0)

            assert who.hear(said(1, clock, {"x": 1}), "eve", EVE, 1) == []
            assert len(who.hear(said(1, clock, {"x": 1}), "bob", BOB, 1)) == heard
            assert [entry.client for entry in who.ours()] == [1]
            assert who.forget_silent(now=40) == []

    def test_who_goes_on_elsewhere_does_not_leave_when_the_old_socket_does(self) -> None:
        here, there = WhoIsWhere[str](), WhoIsWhere[str]()
        here.hear(said(1, 5, {}), "bob's old socket", BOB, 0)
        moved = awareness.written(there.hear(said(1, 6, {"x": 1}), "bob", BOB, 0))
        forged = awareness.written(there.hear(said(2, 7, {}), "eve", EVE, 0)).replace(b"\x02", b"\x01", 1)

        assert here.hear_from_afar(forged, 0) == []
        assert [entry.clock for entry in here.hear_from_afar(moved, 0)] == [6]
        assert here.leave("bob's old socket") == []
        assert [entry.client for entry in here.all()] == [1]


def seeded() -> tuple[KeptDocument, "Doc[Map]"]:
    """A draft, and a client that has it."""
    seed: Doc[Map] = Doc(client_id=SEED_CLIENT)
    with seed.transaction():
        seed.get("flow", type=Map)["nodes"] = Map()
        for name in "ab":  # one by one: the library puts the keys of a map in an order of its own
            seed.get("flow", type=Map)["nodes"][name] = Map({"label": name.upper()})
    held = KeptDocument(SEED_CLIENT)
    assert held.load([seed.get_update()]) == 0
    client: Doc[Map] = Doc(client_id=7)
    client.apply_update(seed.get_update())
    return held, client


class TestWhatAChangeDoes:
    def test_what_was_there_is_nothing_new(self) -> None:
        held, client = seeded()
        nodes = client.get("flow", type=Map)["nodes"]
        nodes["c"] = Map({"label": "C"})
        del nodes["a"]
        update = client.get_update()

        assert held.adds(update)
        assert held.apply(update, trim=True)[0] == CHANGED
        assert not held.adds(update)
        assert held.apply(update, trim=False) == (NOTHING_NEW, b"")
        assert held.apply(b"\x00\x00", trim=False) == (NOTHING_NEW, b"")

    def test_a_deletion_alone_is_a_change(self) -> None:
        held, client = seeded()
        before = client.get_state()
        del client.get("flow", type=Map)["nodes"]["b"]

        assert held.apply(client.get_update(before), trim=True)[0] == CHANGED
        doc: Doc[Map] = Doc()
        doc.apply_update(held.whole()[0])
        assert list(doc.get("flow", type=Map)["nodes"]) == ["a"]

    def test_another_history_is_of_another_epoch(self) -> None:
        held, client = seeded()
        other: Doc[Map] = Doc(client_id=SEED_CLIENT + 1)
        other.get("flow", type=Map)["nodes"] = Map()
        client.apply_update(other.get_update())

        assert held.apply(other.get_update(), trim=False)[0] == OTHER_EPOCH
        assert held.apply(client.get_update(), trim=True)[0] == OTHER_EPOCH
        assert held.lacked_by(client.get_state()) is None
        assert held.lacked_by(b"\x00") is not None

    @pytest.mark.parametrize("update", [b"", b"\x01", b"\x01\x01\x05", b"\xff" * 9])
    def test_nonsense_is_invalid(self, update: bytes) -> None:
        held, _ = seeded()
        assert held.apply(update, trim=False) == (INVALID, b"")
        assert not held.adds(update)

    def test_what_follows_a_change_is_not_kept(self) -> None:
        held, client = seeded()
        before = client.get_state()
        client.get("flow", type=Map)["x"] = 1
        update = client.get_update(before)

        assert held.apply(update + b"junk", trim=False) == (CHANGED, update)

    def test_made_up_changes_keep_nobody_from_having_the_whole(self) -> None:
        """Whatever the library makes of them: it writes updates that it cannot read itself."""
        chance = random.Random(2)
        held, client = seeded()
        updates: list[bytes] = []
        watch = client.observe(lambda event: updates.append(event.update))
        for number in range(10):
            client.get("flow", type=Map)["nodes"][f"n{number}"] = Map({"label": "x"})
        del client.get("flow", type=Map)["nodes"]["n3"]
        client.unobserve(watch)
        for turn in range(1_500):
            update = bytearray(chance.choice(updates))
            for _ in range(chance.randint(1, 3)):
                update[chance.randrange(len(update))] = chance.randrange(256)
            with suppress(RuntimeError):
                held.apply(bytes(update), trim=turn % 2 == 0)
            if turn % 100 == 0:
                whole, vector = held.whole()
                Doc().apply_update(whole)
                assert held.lacked_by(vector) is not None

    def test_changes_in_any_order_make_the_same_draft(self) -> None:
        """Also those that come before what they build upon, whenever the whole is asked for."""
        _, client = seeded()
        updates: list[bytes] = []
        watch = client.observe(lambda event: updates.append(event.update))
        nodes = client.get("flow", type=Map)["nodes"]
        for number in range(30):
            nodes[f"n{number}"] = Map({"label": "x"})
            nodes[f"n{number}"]["label"] = str(number)
        for number in range(0, 30, 3):
            del nodes[f"n{number}"]
        client.unobserve(watch)
        for seed in range(5):
            held, _ = seeded()
            order = random.Random(seed).sample(updates, len(updates))
            for position, update in enumerate(order):
                assert held.apply(update, trim=position % 2 == 0)[0] == CHANGED
                if position % 10 == 0:
                    again = KeptDocument(SEED_CLIENT)
                    assert again.load([held.whole()[0]]) == 0
                    held = again
            doc: Doc[Map] = Doc()
            doc.apply_update(held.whole()[0])
            assert doc.get("flow", type=Map).to_py() == client.get("flow", type=Map).to_py()
            assert held.waiting == []
