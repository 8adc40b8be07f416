"""Books from files: what is read, and what is refused with its line, its value and the fix."""

from pathlib import Path

import pytest

from bot.errors import BookFileError
from bot.sim.book import Account
from bot.sim.book_file import read_book
from tests.support.replays import SMALLEST_BORROW, TERMS

HEADER = "id,collateral_asset,collateral_amount,debt_asset,debt_amount"


def written(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "book.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def refusal(folder: Path, *rows: str, header: str = HEADER) -> BookFileError:
    with pytest.raises(BookFileError) as caught:
        read_book(written(folder, *rows, header=header), TERMS, SMALLEST_BORROW)
    return caught.value


def test_rows_of_one_id_are_one_account(tmp_path: Path) -> None:
    path = written(tmp_path, "a,WETH,10,USDC,600", "b,USDC,5000,WETH,10", "a,wbtc,0.5,,")
    book = read_book(path, TERMS, SMALLEST_BORROW)
    assert book.source == "book.csv"
    assert book.accounts == (
        Account("a", (("WETH", 10 * 10**18), ("WBTC", 5 * 10**7)), (("USDC", 600 * 10**6),)),
        Account("b", (("USDC", 5000 * 10**6),), (("WETH", 10 * 10**18),)),
    )


def test_an_account_may_hold_without_owing(tmp_path: Path) -> None:
    assert read_book(written(tmp_path, "a,WETH,1,,"), TERMS, SMALLEST_BORROW).accounts[0].debt == ()


def test_an_unknown_asset_is_refused_with_those_that_are_known(tmp_path: Path) -> None:
    error = refusal(tmp_path, "a,WETH,10,USDC,600", "b,DOGE,10,USDC,600")
    assert (error.row, error.value) == (3, "DOGE")
    assert "USDC, WBTC, WETH" in str(error)


@pytest.mark.parametrize("amount", ["-1", "0", "nan", "inf", "-inf"])
def test_an_amount_that_is_not_positive_is_refused(tmp_path: Path, amount: str) -> None:
    error = refusal(tmp_path, f"a,WETH,{amount},USDC,600")
    assert (error.row, error.value) == (2, amount)
    assert "collateral_amount must be above zero" in str(error)


def test_an_amount_that_is_no_number_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, "a,WETH,ten,USDC,600").value == "ten"


def test_an_asset_without_an_amount_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, "a,WETH,,USDC,600").problem == "collateral_amount is no number"


@pytest.mark.parametrize("amount", ["0.1234567", "1e40"])
def test_an_amount_that_the_token_cannot_hold_is_refused(tmp_path: Path, amount: str) -> None:
    assert "at most 6 decimals" in str(refusal(tmp_path, f"a,WETH,10,USDC,{amount}"))


def test_an_asset_twice_in_one_account_is_refused(tmp_path: Path) -> None:
    error = refusal(tmp_path, "a,WETH,10,USDC,600", "a,WETH,10,,")
    assert "comes twice for account 'a'" in str(error)


def test_an_account_beyond_its_borrow_limit_is_refused_with_the_limit(tmp_path: Path) -> None:
    error = refusal(tmp_path, "a,WETH,10,USDC,1107.21")
    assert error.value == "1107.21"
    assert "borrow limit of 1,107.20" in str(error)


def test_an_account_exactly_at_its_borrow_limit_is_accepted(tmp_path: Path) -> None:
    assert read_book(written(tmp_path, "a,WETH,10,USDC,1107.2"), TERMS, SMALLEST_BORROW).accounts


def test_a_debt_below_the_smallest_borrow_is_refused(tmp_path: Path) -> None:
    error = refusal(tmp_path, "a,WETH,10,USDC,499.99")
    assert "borrow at least 500 US dollars" in str(error)


@pytest.mark.parametrize("row", ["a,WETH,10,USDC", "a,WETH,10,USDC,600,7"])
def test_a_row_of_another_width_is_refused(tmp_path: Path, row: str) -> None:
    assert refusal(tmp_path, row).row == 2


def test_an_account_without_a_name_is_refused(tmp_path: Path) -> None:
    assert "id is empty" in str(refusal(tmp_path, ",WETH,10,USDC,600"))


def test_another_header_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, header="id,asset").row == 1


def test_an_empty_book_is_refused(tmp_path: Path) -> None:
    assert "no account" in str(refusal(tmp_path))


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(BookFileError, match=r"nowhere\.csv"):
        read_book(tmp_path / "nowhere.csv", TERMS, SMALLEST_BORROW)
