"""The workload `bank`: clients move money between accounts, and look at all accounts at once."""

from __future__ import annotations

import random
from typing import Any

from msgspec.structs import replace

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
"""What an account holds that nobody has touched yet."""
AMOUNT_MAX = 5
READ = repeat(OpRequest("read"))


class BankClient:
    """Looks, computes, and transfers if neither account has changed since."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def apply(self, op: Op) -> Op:
        """Carry out a `transfer` or a `read`; a transfer may find too little money, or come too late."""
        match op.f:
            case "transfer":
                return await self._transfer(op, op.value["from"], op.value["to"], op.value["amount"])
            case "read":
                done = await self._session.look(_look(ACCOUNTS))
                balances = map(_balance, done.result)
                return replace(
                    op, type="ok", value=dict(zip(ACCOUNTS, balances, strict=True)), slot=done.slot
                )
        raise ValueError(f"money can be transferred, and accounts read; there is no {op.f!r}")

    async def _transfer(self, op: Op, giver: str, taker: str, amount: int) -> Op:
        held, others = (await self._session.look(_look((giver, taker)))).result
        if _balance(held) < amount:
            raise Refused("there is not enough money")
        moved = Put(giver, _balance(held) - amount), Put(taker, _balance(others) + amount)
        done = await self._session.execute(Transaction(((giver, held), (taker, others)), moved))
        if done.result is None:
            raise Refused("an account has changed meanwhile")
        return replace(op, type="ok", slot=done.slot)


def _look(accounts: tuple[str, ...]) -> Transaction:
    return Transaction((), tuple(map(Get, accounts)))


def _balance(held: Any) -> int:
    return START if held is None else int(held)


def transfer_and_read(plan: Plan, rng: random.Random) -> Generator:
    """Transfers of small amounts between two accounts, and reads of all."""
    return shared_out(plan, rng, looks=READ, ops=mix(_transfers(rng), READ, rng=rng))


def _transfers(rng: random.Random) -> Generator:
    return drawn(_transfer, rng=rng)


def _transfer(rng: random.Random) -> OpRequest:
    giver, taker = rng.sample(ACCOUNTS, 2)
    return OpRequest("transfer", {"from": giver, "to": taker, "amount": rng.randint(1, AMOUNT_MAX)})


def all_at_last(plan: Plan, rng: random.Random) -> Generator:
    """Everyone transfers something and looks at the accounts."""
    transfers = _transfers(rng)
    return until_done(plan, rng, lambda _: [transfers, READ, transfers, READ])


def checks(plan: Plan, history: History) -> Checks:
    """There is always as much money as there was, and no account is in debt."""
    return {"bank": lambda: bank(history, total=START * len(ACCOUNTS))}


BANK = store_workload(
    name="bank",
    about="Whether a transaction is ever done by halves, or done twice: money that comes or goes.",
    operations=Operations(BankClient, transfer_and_read, all_at_last),
    checks=checks,
    bugs=BANK_BUGS,
    defaults={"rate": 100.0},
)
