"""The workload `bank`: clients transfer money between accounts and read all accounts at once."""

from __future__ import annotations

import random
from typing import Any

from ostrakon.checkers.consistency.bank import bank
from ostrakon.harness.generator import Generator, OpRequest, drawn, mix, repeat
from ostrakon.harness.history import History, Op
from ostrakon.harness.plan import Plan
from ostrakon.harness.workload import Refused
from ostrakon.paxos_impl.kv.operation import Get, Put, Transaction
from ostrakon.workloads.machine_bugs import BANK_BUGS
from ostrakon.workloads.replicated_store import (
    Checks,
    Operations,
    Session,
    shared_out,
    store_workload,
    until_done,
)

ACCOUNTS = ("a", "b", "c", "d", "e")
START = 20
"""The initial balance of an account."""
AMOUNT_MAX = 5
READ = repeat(OpRequest("read"))


class BankClient:
    """A client that reads two accounts and transfers money if neither has changed since."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def apply(self, op: Op) -> Op:
        """Execute a `transfer` or a `read`. A transfer fails if the balance is too low or an account has
        changed."""
        match op.f:
            case "transfer":
                return await self._transfer(op, op.value["from"], op.value["to"], op.value["amount"])
            case "read":
                done = await self._session.look(_look(ACCOUNTS))
                balances = map(_balance, done.result)
                return op.ok(dict(zip(ACCOUNTS, balances, strict=True)), slot=done.slot)
        raise ValueError(f"money can be transferred, and accounts read; there is no {op.f!r}")

    async def _transfer(self, op: Op, giver: str, taker: str, amount: int) -> Op:
        held, others = (await self._session.look(_look((giver, taker)))).result
        if _balance(held) < amount:
            raise Refused("there is not enough money")
        moved = Put(giver, _balance(held) - amount), Put(taker, _balance(others) + amount)
        done = await self._session.execute(Transaction(((giver, held), (taker, others)), moved))
        if done.result is None:
            raise Refused("an account has changed meanwhile")
        return op.ok(slot=done.slot)


def _look(accounts: tuple[str, ...]) -> Transaction:
    return Transaction((), tuple(map(Get, accounts)))


def _balance(held: Any) -> int:
    return START if held is None else int(held)


def transfer_and_read(plan: Plan, rng: random.Random) -> Generator:
    """Transfers of small amounts between two accounts, and reads of all accounts."""
    return shared_out(plan, rng, looks=READ, ops=mix(_transfers(rng), READ, rng=rng))


def _transfers(rng: random.Random) -> Generator:
    return drawn(_transfer, rng=rng)


def _transfer(rng: random.Random) -> OpRequest:
    giver, taker = rng.sample(ACCOUNTS, 2)
    return OpRequest("transfer", {"from": giver, "to": taker, "amount": rng.randint(1, AMOUNT_MAX)})


def all_at_last(plan: Plan, rng: random.Random) -> Generator:
    """Each client makes a transfer and reads the accounts."""
    transfers = _transfers(rng)
    return until_done(plan, rng, lambda _: [transfers, READ, transfers, READ])


def checks(plan: Plan, history: History) -> Checks:
    """The total never changes, and no balance is negative."""
    return {"bank": lambda: bank(history, total=START * len(ACCOUNTS))}


BANK = store_workload(
    name="bank",
    about="Transfers between accounts: no transaction is executed partly or twice, so the total is constant.",
    operations=Operations(BankClient, transfer_and_read, all_at_last),
    checks=checks,
    bugs=BANK_BUGS,
    defaults={"rate": 100.0},
)
