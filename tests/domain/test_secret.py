"""Secrets: shown nowhere until they are revealed."""

import copy
import json
import logging
import pickle

import pytest

from otonom_trader.domain.secret import Secret

SECRET = Secret("canary-7f3a")


@pytest.mark.parametrize(
    "text",
    [str(SECRET), repr(SECRET), f"{SECRET}", f"{SECRET!r}", str([SECRET]), str({"key": SECRET}),
     json.dumps({"key": SECRET}, default=str)],
)  # fmt: skip
def test_a_secret_is_not_in_any_text_made_of_it(text: str) -> None:
    assert "canary" not in text
    assert "***" in text


def test_a_secret_is_not_in_a_log_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        logging.getLogger("test").info("signed with %s", SECRET)
    assert "canary" not in caplog.text


def test_a_secret_cannot_be_pickled_or_copied() -> None:
    with pytest.raises(TypeError, match="not to be pickled"):
        pickle.dumps(SECRET)
    with pytest.raises(TypeError, match="not to be pickled"):
        copy.copy(SECRET)


def test_a_secret_has_no_dictionary_to_look_into() -> None:
    with pytest.raises(TypeError):
        vars(SECRET)


def test_a_secret_is_itself_only_where_it_is_revealed() -> None:
    assert SECRET.reveal() == "canary-7f3a"
    assert Secret("canary-7f3a") == SECRET
    assert Secret("other") != SECRET
    assert SECRET != "canary-7f3a"
    assert not Secret("")
