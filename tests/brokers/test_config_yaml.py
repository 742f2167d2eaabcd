"""Reading YAML strictly: what is taken, what is refused, and that nothing else ever happens."""

import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otonom_trader.brokers.config import get_broker_config
from otonom_trader.brokers.yaml_source import (
    BLANK,
    MAX_FILE_BYTES,
    dotted,
    parse_scalar,
    parse_yaml,
    read_yaml,
)
from otonom_trader.domain.errors import ConfigurationError


def refusal(text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        parse_yaml(text, "f")
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("", BLANK),
        ("# a comment", BLANK),
        ("10", Decimal(10)),
        ("10000.0", Decimal("10000.0")),
        ("0.1", Decimal("0.1")),
        ("-2", Decimal(-2)),
        ("+3", Decimal(3)),
        ("1e3", Decimal(1000)),
        ("0.30000000000000004", Decimal("0.30000000000000004")),
        *((text, text) for text in ("yes", "no", "on", "off", "True", "NULL", "y")),
        *((text, text) for text in ("010", "0x1f", "1_000", "1:30", ".5", "5.", ".inf", ".nan")),
        ("2026-01-31", "2026-01-31"),
        ('"true"', "true"),
        ("'10'", "10"),
        ("'it''s'", "it's"),
        ("https://testnet.binance.vision", "https://testnet.binance.vision"),
    ],
)
def test_a_value_is_what_it_looks_like_and_no_more(text: str, value: Any) -> None:
    assert parse_yaml(f"key: {text}\n", "f").values == {"key": value}
    assert type(parse_yaml(f"key: {text}\n", "f").values["key"]) is type(value)
    assert parse_scalar(text) == value


def test_every_key_and_item_keeps_its_line() -> None:
    document = parse_yaml("# first\na:\n  b: 1\n\n  c:\n    - x\n    - {d: 2}\n", "f")
    assert document.values == {"a": {"b": Decimal(1), "c": ["x", {"d": Decimal(2)}]}}
    assert document.lines == {
        ("a",): 2,
        ("a", "b"): 3,
        ("a", "c"): 5,
        ("a", "c", 0): 6,
        ("a", "c", 1): 7,
        ("a", "c", 1, "d"): 7,
    }


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "---\n", "\ufeff", "---\n...\n"])
def test_an_empty_file_has_no_keys(text: str) -> None:
    assert parse_yaml(text, "f").values == {}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: 1\nb: 2\na: 3", "f:3: a is given twice, first in line 1; keep one"),
        ("a: {b: 1, 'b': 2}", "f:1: a.b is given twice, first in line 1; keep one"),
        ("a:\n  1: x", "f:2: a key under a is not text; put it in quotes"),
        ("true: x", "f:1: a key is not text; put it in quotes"),
        ("null: x", "f:1: a key is not text; put it in quotes"),
        ("? [a]\n: x", "f:1: a key is not text; put it in quotes"),
        ("? {a: 1}\n: x", "f:1: a key is not text; put it in quotes"),
        ("'': x", "f:1: a key is not text; put it in quotes"),
        ("a: &x 1", "f:1: a uses an anchor or alias (& or *)"),
        ("a: 1\nb: *x", "f:2: b uses an anchor or alias (& or *)"),
        ("a: !!python/object:os.system x", "f:1: a uses a tag (!); remove it"),
        ("a: !!int 1", "f:1: a uses a tag (!); remove it"),
        ("a: ! 1", "f:1: a uses a tag (!); remove it"),
        ("- a", "f:1: the file must hold keys with values, such as `key: 1`"),
        ("just text", "f:1: the file must hold keys with values, such as `key: 1`"),
        ("a: 1\n---\nb: 2", "f:2: a second document begins; a file holds one"),
        ("a: 1\n\tb: 2", "f:2: the line is indented with a tab; use spaces"),
        ("a:\n  \tb: 2", "f:2: the line is indented with a tab; use spaces"),
        ("a: 1\nb: \0", "f:2: the character '\\x00' is not allowed in YAML"),
        ("a: \x1b[31m", "f:1: the character '\\x1b' is not allowed in YAML"),
        ('a: "\\0"', "f:1: a holds a character that cannot be printed"),
        ('a: "\\ud800"', "f:1: a holds a character that cannot be printed"),
        ('a: "\\U00110000"', "f:1: the text is not valid YAML"),
        ("a: b: c", "f:1: the text is not valid YAML: mapping values are not allowed here"),
        ("a: [1", "f:1: the text is not valid YAML: expected ',' or ']', but got '<stream end>'"),
        ("@x", "f:1: the text is not valid YAML: found character '@' that cannot start any token"),
        ("a: " + "[" * 50_000, "f:1: the nesting is deeper than 16 levels"),
        ("{a: " * 50_000, "f:1: the nesting is deeper than 16 levels"),
    ],
)  # fmt: skip
def test_what_is_ambiguous_or_broken_is_refused(text: str, sentence: str) -> None:
    assert refusal(text) == sentence


@pytest.mark.parametrize(
    "text", ["a: 1", "[1]", "{a: 1}", "*a", "&a b", "!!int 1", "@", "'", "x\n---\ny"]
)
def test_an_environment_value_is_one_scalar(text: str) -> None:
    with pytest.raises(ValueError, match=r"quotes"):
        parse_scalar(text)


def test_a_missing_file_names_the_command_that_writes_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError) as caught:
        read_yaml("config/broker.yaml")
    assert str(caught.value) == (
        "config/broker.yaml does not exist; `otonom-trader config init` writes a default one"
    )
    with pytest.raises(ConfigurationError) as caught:
        read_yaml("my files/broker.yaml")
    assert str(caught.value) == (
        "my files/broker.yaml does not exist; "
        "`otonom-trader config init --config 'my files'` writes a default one"
    )


def test_a_file_that_cannot_be_read_is_refused_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    os.mkfifo("pipe")
    Path("loop").symlink_to("loop")
    Path("large").write_bytes(b"# " + b"x" * 10_000_000)
    Path("latin").write_bytes(b"a: 1\nb: \xe9\n")
    Path("wide").write_text("a: 1\n", encoding="utf-16")
    sentences = {
        "folder": "folder cannot be read: is a directory",
        "pipe": "pipe cannot be read: it is not a regular file",
        "loop": "loop cannot be read: too many levels of symbolic links",
        "large": f"large cannot be read: it is larger than {MAX_FILE_BYTES // 1024} KiB",
        "latin": "latin:2: the text is not UTF-8; save it as UTF-8",
        "wide": "wide:1: the text is not UTF-8; save it as UTF-8",
        "latin/x": "latin/x cannot be read: not a directory",
        "nul\0": "nul\\x00 cannot be read: embedded null byte",
        "n" * 5000: f"{'n' * 200}… cannot be read: file name too long",
    }
    for name, sentence in sentences.items():
        with pytest.raises(ConfigurationError) as caught:
            read_yaml(name)
        assert str(caught.value) == sentence


def test_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read_yaml(file).values == {"a": Decimal(1)}


def test_a_path_is_shown_as_users_write_it() -> None:
    assert dotted(("sources", 0, "path")) == "sources[0].path"
    assert dotted(("symbols", "BTC-USD")) == "symbols.BTC-USD"
    assert dotted(("broker", "api_key:" + "s" * 64)) == "broker.api_key…"
    assert dotted(("x" * 10_000,)) == "x" * 40 + "…"
    assert dotted(("a\x1b[31m\n",)) == "a…"


PIECES = st.sampled_from(
    ["broker:", "type:", " binance", " dummy", "\n", "\n  ", "\n\t", "- ", ": ", "[", "]", "{", "}",
     "'", '"', "&a ", "*a", "!!int ", "# ", "|", ">", "---", "...", "%", "@", "`", "? ", "true",
     "null", "1e999", ".nan", "0.1", "risk_guardrails:", "kill_switch:", "symbols:", "sources:",
     "\\U00110000", "\x00", "\ud800", "\u2028", "é", "<<: "]
)  # fmt: skip


@given(st.one_of(st.text(), st.lists(PIECES, max_size=40).map("".join)))
def test_no_text_does_anything_but_load_or_be_refused(text: str) -> None:
    try:
        values = parse_yaml(text, "f").values
    except ConfigurationError as error:
        assert "\n" not in str(error)  # noqa: PT017  any other error is what this looks for
    else:
        assert isinstance(values, dict)


@given(
    st.one_of(
        st.binary(),
        st.text().map(lambda text: text.encode("utf-8", "surrogatepass")),
        st.lists(PIECES, max_size=40).map(lambda p: "".join(p).encode("utf-8", "surrogatepass")),
    )
)
def test_no_bytes_do_anything_but_load_or_be_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_bytes(content)
    try:
        get_broker_config(file, environ={})
    except ConfigurationError as error:
        assert str(error).isprintable()  # noqa: PT017  as above


@given(st.text(), st.text())
def test_no_environment_does_anything_but_load_or_be_refused(name: str, value: str) -> None:
    file = Path(__file__).parents[2] / "config" / "broker.yaml"
    keys = ["BROKER__MODE", "SYMBOLS__X", "RISK_GUARDRAILS__KILL_SWITCH", "SYMBOLS", "", name]
    for key in keys:
        try:
            get_broker_config(file, environ={f"OTONOM_TRADER__{key}": value})
        except ConfigurationError as error:
            assert "\n" not in str(error)  # noqa: PT017  as above


@given(st.decimals(allow_nan=False, allow_infinity=False, places=8))
def test_a_number_is_exactly_its_text(number: Decimal) -> None:
    assert parse_yaml(f"a: {number:f}", "f").values == {"a": number}
    assert f"{parse_scalar(f'{number:f}'):f}" == f"{number:f}"
