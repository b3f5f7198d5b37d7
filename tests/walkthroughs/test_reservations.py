"""That the walk-through of docs/reservations.md works as it is written."""

from __future__ import annotations

import json

import pytest

from tests.walkthroughs.documents import walk_through


@pytest.mark.timeout(400)
def test_the_walk_through_reserves_pays_and_gives_back() -> None:
    said = walk_through("docs/reservations.md")

    before, letter, after = said[:7], said[7:-4], said[-4:]
    assert before[:4] == ["900", "insufficient_capacity", "sold_out", "2"]
    assert "/checkout?cart_id=cart_" in before[4]
    assert before[5].startswith("202 ")
    assert before[6] == "confirmed"
    assert letter[0] == "Hello Ada,"
    assert [line for line in letter if line.strip().startswith("Reference ST-")]
    assert len([line for line in letter if "Camper van, " in line]) == 2
    assert len([line for line in letter if "/manage/" in line]) == 3
    assert after[0] == '{"released":1}'
    assert after[1:3] == ["released", "2"]
    assert set(json.loads(after[3])) == {"cleaned", "restored"}
