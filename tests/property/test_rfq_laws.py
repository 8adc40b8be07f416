"""Laws of the dealers' protocol: garbage is a typed error, and what is valid survives the way."""

import contextlib
import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from bot.domain.wad import BPS
from bot.errors import QuoteMessageError
from bot.ports.rfq import DealerScore
from bot.rfq import messages, scoring
from bot.rfq.messages import (
    DealerMessage,
    RefusalMessage,
    RequestMessage,
    SignedMessage,
    StreamReply,
    StreamRequest,
    parse,
    quote_of,
    request_message,
    request_of,
    signed_message,
)
from bot.rfq.scoring import BenchPolicy, PriceMark
from bot.rfq.service import words_of
from bot.rfq.typed_data import recovered
from bot.strategy.quotes import FirmQuote
from tests.support.rfq import DOMAIN, a_key, a_request, address_of, sign

KINDS: list[type[BaseModel]] = [
    DealerMessage,
    RefusalMessage,
    RequestMessage,
    SignedMessage,
    StreamReply,
    StreamRequest,
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=40),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=12), children, max_size=6)
    ),
    max_leaves=20,
)
ADDRESSES = st.binary(min_size=20, max_size=20).filter(any)
QUOTES = st.builds(
    FirmQuote,
    dealer=ADDRESSES,
    account=ADDRESSES,
    epoch=st.integers(0, 2**32 - 1),
    collateral_id=st.integers(0, 63),
    debt_id=st.integers(0, 63),
    price=st.integers(0, 2**256 - 1),
    min_fill=st.integers(0, 2**128 - 1),
    max_fill=st.integers(0, 2**128 - 1),
    nonce=st.integers(0, 2**256 - 1),
    deadline=st.integers(0, 2**40 - 1),
    filler=st.binary(min_size=20, max_size=20),
    callback=st.booleans(),
)


@pytest.mark.parametrize("kind", KINDS)
@given(body=st.binary(max_size=300) | st.text(max_size=300) | JSON.map(json.dumps))
def test_garbage_is_a_message_error_and_nothing_else(kind: type[BaseModel], body: bytes | str) -> None:
    with contextlib.suppress(QuoteMessageError):
        parse(kind, body)  # type: ignore[type-var]


@given(data=st.data(), quote=QUOTES)
def test_a_quote_with_one_field_replaced_by_anything_parses_strictly_or_not_at_all(
    data: st.DataObject, quote: FirmQuote
) -> None:
    message = orjson.loads(messages.dump(signed_message(quote, b"\x01" * 65)))
    field = data.draw(st.sampled_from(sorted(message["quote"])))
    was = message["quote"][field]
    message["quote"][field] = data.draw(
        st.none() | st.booleans() | st.floats() | st.text(max_size=90) | st.integers(-5, 5)
    )
    try:
        parsed = parse(SignedMessage, orjson.dumps(message))
    except QuoteMessageError:
        return
    assert type(getattr(parsed.quote, field)) is type(was)


@given(quote=QUOTES, signature=st.binary(min_size=1, max_size=messages._MAX_SIGNATURE))
def test_a_quote_survives_the_way(quote: FirmQuote, signature: bytes) -> None:
    body = messages.dump(signed_message(quote, signature))
    assert len(body) <= messages.MAX_BODY
    assert quote_of(parse(SignedMessage, body)) == (quote, signature)


@given(amount=st.integers(0, 2**128 - 1), epoch=st.integers(0, 2**32 - 1), account=ADDRESSES)
def test_a_request_survives_the_way_without_its_fair_price(amount: int, epoch: int, account: bytes) -> None:
    request = a_request(amount=amount, epoch=epoch, account=account)
    message = parse(RequestMessage, messages.dump(request_message(request, 1, DOMAIN.engine)))
    assert request_of(message) == a_request(amount=amount, epoch=epoch, account=account, fair_price=0)


@given(one=QUOTES, two=QUOTES)
def test_two_quotes_have_one_digest_only_if_they_are_the_same(one: FirmQuote, two: FirmQuote) -> None:
    assert (DOMAIN.digest(one) == DOMAIN.digest(two)) == (one == two)


@given(quote=QUOTES, name=st.sampled_from(["one", "two", "three"]))
def test_whoever_signed_is_recovered(quote: FirmQuote, name: str) -> None:
    assert recovered(DOMAIN.digest(quote), sign(quote, a_key(name))) == address_of(a_key(name))


@given(digest=st.binary(min_size=32, max_size=32), signature=st.binary(max_size=70))
def test_garbage_for_a_signature_is_nobodys_or_somebodys_and_never_an_error(
    digest: bytes, signature: bytes
) -> None:
    signer = recovered(digest, signature)
    assert signer is None or len(signer) == 20


@given(tail=st.binary(min_size=64, max_size=64), v=st.sampled_from([27, 28]))
def test_a_signature_of_the_right_form_is_never_an_error(tail: bytes, v: int) -> None:
    signer = recovered(b"\x01" * 32, tail + bytes([v]))
    assert signer is None or len(signer) == 20


EVENTS = st.lists(
    st.sampled_from(["answered", "declined", "silent", "fault", "filled", "failed", "mark"]), max_size=80
)


@given(events=EVENTS)
def test_a_score_stays_in_its_bounds_and_a_bench_never_ends_sooner(events: list[str]) -> None:
    score, policy = DealerScore("x"), BenchPolicy()
    for block, event in enumerate(events):
        before = score
        match event:
            case "answered":
                score = scoring.answered(score, policy)
            case "declined":
                score = scoring.declined(score, policy)
            case "silent":
                score = scoring.silent(score, policy, block)
            case "fault":
                score = scoring.at_fault(score, policy, block)
                assert scoring.is_benched(score, block + 1)
            case "filled" | "failed":
                score = scoring.filled(score, policy, block, succeeded=event == "filled")
            case _:
                mark = PriceMark(10**9, 10**9 * (1 + block % 3), 10**9 + 10**8 * block)
                score = scoring.marked(score, policy, block, [mark])
        assert 0 <= score.response_bps <= BPS
        assert 0 <= score.fill_bps <= BPS
        assert abs(score.edge_bps) <= BPS
        assert score.benched_until >= before.benched_until
        assert score.benched_until <= block + 1 + policy.longest_blocks


@given(nonces=st.lists(st.integers(0, 2**256 - 1) | st.integers(0, 600), unique=True))
def test_the_words_that_cancel_nonces_hold_each_once(nonces: list[int]) -> None:
    masks = words_of(nonces)
    held = [(word << 8) + bit for word, mask in masks.items() for bit in range(256) if mask >> bit & 1]
    assert sorted(held) == sorted(nonces)
