"""Which private names of Trio and asyncio the simulator uses, and what for.

A version that renames one of them is found here, by name, before a world misbehaves. A name that is used and
is not in a table fails, too: think first whether a public one would do.
"""

from __future__ import annotations

import ast
import asyncio
import pathlib
import re
from collections.abc import Iterator, Mapping

import pytest
import trio

RUNTIMES = pathlib.Path(__file__).parents[2] / "harness" / "sim" / "runtimes"
Table = Mapping[str, tuple[str, ...]]

TRIO: Table = {
    "passes.py steps tasks itself: what a task is woken with, how it waits, how old it is": (
        *("_next_send", "_next_send_fn", "_abort_func", "_counter", "_create", "_runner", "_NO_SEND"),
        *("_parent_nursery", "_child_nurseries"),
    ),
    "a checkpoint that is left out is counted all the same": ("_schedule_points", "_cancel_points"),
    "scopes.py enters and leaves cancel scopes in fewer steps": (
        *("_cancel_status", "_scope", "_parent", "_children", "_tasks", "_cancel_called", "_cancel_reason"),
        *("_shield", "_close", "_has_been_entered", "_attempt_delivery_of_any_pending_cancel"),
        "_attempt_delivery_of_pending_ki",
    ),
    "deadlines, which the kernel's alarms follow": (
        *("_deadline", "_relative_deadline", "_registered_deadline", "_heap"),
        "_might_change_registered_deadline",
    ),
    "scopes.py ends nurseries in fewer steps": (
        *("_child_finished", "_closed", "_nested_child_running", "_nursery", "_parent_task"),
        *("_parent_waiting_in_aexit", "_pending_excs", "_pending_starts", "_strict_exception_groups"),
    ),
    "the order of a batch of ready tasks is ours to choose": ("_ALLOW_DETERMINISTIC_SCHEDULING", "_r"),
    "an event is waited for in one step": ("_flag",),
    "streams.py hands bytes to simulated sockets": (
        *("_held", "_send_conflict_detector", "_translate_socket_errors_to_stream_errors"),
    ),
    "a run has the sockets and the name service of its machine from its first line on": (
        *("_locals", "_resolver", "_socket_factory"),
    ),
    "instruments that a program adds are called": ("_all",),
}
ASYNCIO: Table = {
    "run.py makes the passes: callbacks that are ready, and whether to stop": (
        *("_ready", "_stopping", "_args", "_callback", "_context", "_cancelled", "_debug", "_thread_id"),
        *("_get_running_loop", "_set_running_loop"),
    ),
    "timers are kept in the order of their making": ("_scheduled",),
    "debug mode says where something was made": (
        *("_source_traceback", "_set_coroutine_origin_tracking", "_coroutine_origin_tracking_enabled"),
        *("_format_callback_source", "_format_handle", "_check_callback", "_check_thread"),
    ),
    "a step that blocks is left and gone on with": ("_enter_task", "_leave_task"),
    "what asyncio's loop checks, ours checks": (
        *("_check_closed", "_check_running", "_check_signal", "_closed", "_default_executor"),
        "_task_factory",
    ),
    "signals go through asyncio's own handling": ("_handle_signal", "_signal_handlers"),
    "the selector is simulated": ("_selector",),
    "async generators are closed in the order of their making": (
        *("_asyncgens", "_asyncgen_finalizer_hook", "_asyncgen_firstiter_hook"),
    ),
    "transports send to simulated sockets and receive from them": (
        *("_SelectorSocketTransport", "_make_socket_transport", "_buffer", "_conn_lost", "_empty_waiter"),
        *("_eof", "_fatal_error", "_protocol", "_read_ready", "_sock_fd"),
    ),
    "connections are closed without a word when a world ends": (
        *("_app_transport", "_closing", "_sock", "_transports", "_log_destroy_pending"),
    ),
    "who waits for what is told": ("_fut_waiter", "_app_protocol", "_stream_reader", "_waiter"),
    "streams.py reads a line that is there, and writes one that fits, in one step": (
        *("_connection_lost", "_exception", "_limit", "_maybe_resume_transport", "_paused", "_reader"),
        *("_transport", "_wait_for_data"),
    ),
}
OF_PYTHON = {"_replace", "_frame", "_await"}
"""Of named tuples, and parts of the names of attributes of frames."""


def sources(folder: str) -> list[ast.Module]:
    return [ast.parse(path.read_text()) for path in sorted((RUNTIMES / folder).glob("*.py"))]


def used(folder: str) -> Iterator[str]:
    """Private names that are asked for, as attributes or as strings."""
    for source in sources(folder):
        for node in ast.walk(source):
            if isinstance(node, ast.Attribute):
                yield node.attr
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
                yield node.value


def own(folder: str) -> Iterator[str]:
    """Names that our own classes have."""
    for source in sources(folder):
        for node in ast.walk(source):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield node.name
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                if isinstance(node.value, ast.Name) and node.value.id == "self":
                    yield node.attr
            elif isinstance(node, ast.Assign):
                yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


@pytest.mark.parametrize(("folder", "table"), [("trio", TRIO), ("asyncio", ASYNCIO)])
def test_every_private_name_that_is_used_is_listed_with_its_reason(folder: str, table: Table) -> None:
    listed = {name for names in table.values() for name in names}
    found = {name for name in used(folder) if is_private(name)} - OF_PYTHON

    assert found - set(own(folder)) <= listed, sorted(found - set(own(folder)) - listed)
    assert listed <= found, f"not used any more: {sorted(listed - found)}"


@pytest.mark.parametrize(("package", "table"), [(trio, TRIO), (asyncio, ASYNCIO)], ids=["trio", "asyncio"])
def test_every_listed_name_exists_in_this_version(package: object, table: Table) -> None:
    folder = pathlib.Path(str(getattr(package, "__file__", ""))).parent
    text = "\n".join(path.read_text() for path in sorted(folder.rglob("*.py")) if "_tests" not in path.parts)
    names = [name for group in table.values() for name in group]

    gone = [name for name in names if not re.search(rf"(?<![A-Za-z0-9_]){name}\b", text)]

    assert not gone, f"this version has no such names: {gone}"
