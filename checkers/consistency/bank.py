"""Bank accounts between which money is transferred: each read of all accounts has the same total."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ostrakon.checkers.shape import is_whole, misfit
from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.history import History, Op


def bank(history: History, *, total: int | None = None, negative_balances: bool = False) -> Verdict:
    """Check a bank: each `ok` read has all accounts, integer balances, the same total and no negative
    balance.

    An op is `transfer`, whose value is not used here, or `read`. The value of a read is {account: balance},
    or a list of balances of the accounts 0, 1, 2, ... If no `total` is given, the first read decides it. The
    first read also decides the accounts.
    """
    reads = [op for op in history.where(f="read", type="ok") if op.value is not None]
    if not reads:
        return Verdict.unknown("nobody ever saw the accounts")
    if (other := misfit(reads, "{account: balance} or a list of balances", _is_view)) is not None:
        return other
    first = _balances(reads[0])
    accounts = set(map(str, first))
    if total is None:
        total = sum(balance for balance in first.values() if is_whole(balance))
    anomalies = [
        anomaly for read in reads for anomaly in _wrong(read, reads[0], accounts, total, negative_balances)
    ]
    return Verdict.of(anomalies, reads=len(reads), total=total, wrong=len(anomalies))


def _is_view(value: Any) -> bool:
    return isinstance(value, Mapping | list | tuple)


def _balances(read: Op) -> Mapping[Any, Any]:
    return read.value if isinstance(read.value, Mapping) else dict(enumerate(read.value))


def _wrong(read: Op, first: Op, accounts: set[str], total: int, negative_balances: bool) -> Iterator[Anomaly]:
    balances = _balances(read)
    strange = [key for key in balances if str(key) not in accounts]
    missing = sorted(accounts - set(map(str, balances)))
    empty = [key for key, balance in balances.items() if not is_whole(balance)]
    debts = {key: balance for key, balance in balances.items() if is_whole(balance) and balance < 0}
    witness = (read,) if read is first else (first, read)
    if strange or missing:
        why = (
            f"accounts {strange or missing} are {'new' if strange else 'gone'}, compared with the first read"
        )
        yield Anomaly("unexpected accounts", why, witness)
    elif empty:
        yield Anomaly("no balance", f"accounts {empty} hold no whole number", (read,))
    elif (found := sum(balances.values())) != total:
        yield Anomaly(
            "wrong total", f"all accounts hold {found} together, where it should be {total}", witness
        )
    if debts and not negative_balances:
        yield Anomaly("negative balance", f"accounts are in debt: {debts}", (read,))
