from typing import NamedTuple

from cfx_jax.data.sets.stored.spec import digest


class Entry(NamedTuple):
    name: str
    place: str = "here"

    def content(self):
        return self.name


def test_digest_is_that_of_the_contents_in_their_order():
    one, two = Entry("one"), Entry("two")
    assert digest([one, two]) == digest([one._replace(place="there"), two])
    assert len({digest(entries) for entries in ([], [one], [one, two], [two, one])}) == 4
