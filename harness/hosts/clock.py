"""The wall clocks of hosts: set forward or back for each process, by a change of its vDSO.

Programs read the time by functions of the vDSO, a library that the kernel maps into every process. A process
has its own copy of a page of it once the page is written through `/proc/PID/mem`. The functions are replaced
there by ones that make the system call and add an offset to the wall clock (CLOCK_REALTIME). This reaches
programs in C, Go and Java alike, while they run. Monotonic clocks stay as they are. A program that makes the
system call by itself sees no offset. `patched` is pure; `HostClock` has the processes.
"""

from __future__ import annotations

import os
import platform
import signal
import struct
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_MAGIC = b"OSTRAKON"
_ALIGN = 64
_STOPPED_S = 1.0
"""How long a process may take to stand still, in seconds."""
_POLL_S = 0.0002
_SECOND = 1_000_000_000
_PT_DYNAMIC, _DT_STRTAB, _DT_SYMTAB = 2, 5, 6
_READERS = ("__vdso_clock_gettime", "__vdso_gettimeofday", "__vdso_time")

CodePart = bytes | str | tuple[bytes, str, int]
"""Of machine code: bytes; a label; or an instruction, a label, and how many bytes the distance to it has."""

# Machine code of x86-64. Of the registers it changes only those that a function may.
_CODE: Sequence[CodePart] = (
    "__vdso_clock_gettime",  # edi: which clock, rsi: where to
    b"\xb8\xe4\x00\x00\x00\x0f\x05",  # eax = clock_gettime(edi, rsi)
    b"\x85\xff",
    (b"\x74", "wall", 1),  # edi = 0 is CLOCK_REALTIME,
    b"\x83\xff\x05",
    (b"\x75", "end", 1),  # and 5 is CLOCK_REALTIME_COARSE.
    "wall",
    b"\x85\xc0",
    (b"\x75", "end", 1),
    (b"\x48\x8b\x0d", "seconds", 4),
    b"\x48\x01\x0e",  # [rsi] += seconds
    (b"\x48\x8b\x0d", "nanoseconds", 4),
    b"\x48\x03\x4e\x08",  # rcx = [rsi + 8] + nanoseconds
    b"\x48\x81\xf9" + struct.pack("<i", _SECOND),
    (b"\x7c", "keep", 1),
    b"\x48\x81\xe9" + struct.pack("<i", _SECOND),
    b"\x48\xff\x06",
    "keep",
    b"\x48\x89\x4e\x08",
    "end",
    b"\xc3",
    "__vdso_gettimeofday",  # rdi: where to
    b"\x57\x48\x83\xec\x10\x31\xff\x48\x89\xe6",
    (b"\xe8", "__vdso_clock_gettime", 4),
    b"\x48\x8b\x04\x24\x48\x8b\x4c\x24\x08\x48\x83\xc4\x10\x5f",  # rax, rcx = seconds, nanoseconds
    b"\x48\x85\xff",
    (b"\x74", "told", 1),
    b"\x48\x89\x07\x48\x89\xc8\xb9\xe8\x03\x00\x00\x31\xd2\x48\xf7\xf1",  # rax = rcx / 1000
    b"\x48\x89\x47\x08",
    "told",
    b"\x31\xc0\xc3",
    "__vdso_time",  # rdi: where to, or 0
    b"\x57\x48\x83\xec\x10\x31\xff\x48\x89\xe6",
    (b"\xe8", "__vdso_clock_gettime", 4),
    b"\x48\x8b\x04\x24\x48\x83\xc4\x10\x5f",
    b"\x48\x85\xff",
    (b"\x74", "returned", 1),
    b"\x48\x89\x07",
    "returned",
    b"\xc3",
)


class NoClocks(Exception):
    """Clocks of processes cannot be set here; the message says why."""


@dataclass(frozen=True, slots=True)
class VdsoChange:
    """What is to be written into a vDSO, and where the offset is kept then."""

    offset_at: int
    writes: tuple[tuple[int, bytes], ...]
    """Offsets into the image, and the bytes that come there, in order."""


def patched(image: bytes) -> VdsoChange:
    """The changes that let the functions of a vDSO add an offset. Raises: NoClocks."""
    if (known := image.find(_MAGIC)) >= 0:
        return VdsoChange(known + len(_MAGIC), ())
    functions = {name: at for name, at in _symbols(image) if name in _READERS}
    if missing := [name for name in _READERS if name not in functions]:
        raise NoClocks(f"the vDSO of this kernel has no {', '.join(missing)}")
    free = -(-len(image.rstrip(b"\0")) // _ALIGN) * _ALIGN
    offset_at = free + len(_MAGIC)
    labels = {"seconds": offset_at, "nanoseconds": offset_at + 8}
    code = _assembled(_CODE, offset_at + 16, labels)
    if offset_at + 16 + len(code) > len(image):
        raise NoClocks("the vDSO of this kernel has no room left")
    jumps = (
        (at, b"\xe9" + struct.pack("<i", labels[name] - at - 5)) for name, at in sorted(functions.items())
    )
    return VdsoChange(offset_at, ((offset_at, bytes(16) + code), *jumps, (free, _MAGIC)))


def encoded(offset_ns: int) -> bytes:
    """An offset as the code wants it: whole seconds, and nanoseconds from 0 on."""
    return struct.pack("<qq", *divmod(offset_ns, _SECOND))


def _symbols(image: bytes) -> Iterator[tuple[str, int]]:
    """The dynamic symbols of an ELF image of 64 bits, each with its offset."""
    (headers,) = struct.unpack_from("<Q", image, 32)
    (count,) = struct.unpack_from("<H", image, 56)
    kinds = ((struct.unpack_from("<IIQ", image, headers + 56 * number)) for number in range(count))
    dynamic = next(offset for kind, _, offset in kinds if kind == _PT_DYNAMIC)
    table: dict[int, int] = {}
    for tag, value in struct.iter_unpack("<QQ", image[dynamic : dynamic + 16 * 64]):
        if not tag:
            break
        table[tag] = value
    # The names follow the symbols.
    first, names = table[_DT_SYMTAB], table[_DT_STRTAB]
    for name_at, _, _, section, value, _ in struct.iter_unpack(
        "<IBBHQQ", image[first : first + (names - first) // 24 * 24]
    ):
        if section:
            end = image.index(b"\0", names + name_at)
            yield image[names + name_at : end].decode("latin-1"), value


def _assembled(parts: Sequence[CodePart], at: int, labels: dict[str, int]) -> bytes:
    """Machine code that begins at an offset; adds its labels to those that are known."""
    here = at
    for part in parts:
        if isinstance(part, str):
            labels[part] = here
        else:
            here += len(part) if isinstance(part, bytes) else len(part[0]) + part[2]
    code = b""
    for part in parts:
        if isinstance(part, bytes):
            code += part
        elif not isinstance(part, str):
            instruction, label, width = part
            code += instruction
            distance = labels[label] - (at + len(code) + width)
            code += distance.to_bytes(width, "little", signed=True)
    return code


def require_clocks() -> None:
    """Check that the clock of a process can be set here. Raises: NoClocks."""
    if platform.machine() != "x86_64":
        raise NoClocks(f"clocks of processes can be set on x86-64 only, and this is {platform.machine()}")
    probe = subprocess.Popen(["sleep", "60"])
    try:
        while b"sleep" not in Path(f"/proc/{probe.pid}/cmdline").read_bytes():
            time.sleep(_POLL_S)
        _write_offset(probe.pid, _SECOND, lambda: True)
    except OSError as error:
        raise NoClocks(f"the memory of processes cannot be written here: {error.strerror}") from None
    finally:
        probe.kill()
        probe.wait()


class HostClock:
    """The wall clock that the processes of one host read."""

    def __init__(self, pids: Callable[[], Iterable[int]], is_paused: Callable[[], bool]) -> None:
        self._pids, self._is_paused = pids, is_paused
        self._is_changed = False
        self.offset_ns = 0
        """How far it is ahead of the machine's, in nanoseconds."""
        self.wall_readings = 0
        """How often the host has told a time that was off by the offset."""

    def step(self, seconds: float) -> None:
        """Set it forward, or back."""
        self.offset_ns += round(seconds * 1e9)
        self._is_changed = True
        self.follow()

    def follow(self) -> None:
        """Set the clocks of processes that have started since."""
        if self._is_changed:
            for pid in self._pids():
                with suppress(FileNotFoundError, ProcessLookupError):  # It has ended meanwhile.
                    _write_offset(pid, self.offset_ns, self._is_paused)

    def compare(self, told_s: float, asked_s: float, answered_s: float, resolution_s: float) -> None:
        """Count what the host says the time is, if it is nearer to this clock than to the machine's.

        It was asked and has answered at these times of the machine's clock. A jump that is too small to be
        told from the time that the answer took is not counted.
        """
        offset_s, real_s = self.offset_ns / 1e9, (asked_s + answered_s) / 2
        is_large = abs(offset_s) > resolution_s + (answered_s - asked_s)
        if is_large and abs(told_s - real_s - offset_s) < abs(told_s - real_s):
            self.wall_readings += 1


def _write_offset(pid: int, offset_ns: int, is_paused: Callable[[], bool]) -> None:
    """Raises: NoClocks; FileNotFoundError or ProcessLookupError, if it has ended."""
    if (found := _vdso_of(pid)) is None:
        return
    begin, end = found
    with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
        image = os.pread(memory.fileno(), end - begin, begin)
        patch, wanted = patched(image), encoded(offset_ns)
        if not patch.writes and image[patch.offset_at : patch.offset_at + 16] == wanted:
            return
        try:
            _stand_still(pid, found)
            for at, data in (*patch.writes, (patch.offset_at, wanted)):
                os.pwrite(memory.fileno(), data, begin + at)
        finally:
            if not is_paused():
                os.kill(pid, signal.SIGCONT)


def _vdso_of(pid: int) -> tuple[int, int] | None:
    """Where the vDSO of a process begins and ends; None for one that has none, as one that has ended."""
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        if line.endswith("[vdso]"):
            begin, end = line.split()[0].split("-")
            return int(begin, 16), int(end, 16)
    return None


def _stand_still(pid: int, vdso: tuple[int, int]) -> None:
    """Stop a process where none of its threads is in the vDSO, whose code is about to change."""
    deadline = time.monotonic() + _STOPPED_S
    while True:
        os.kill(pid, signal.SIGSTOP)
        while not all(_is_stopped(task) for task in _tasks(pid)) and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        if not any(vdso[0] <= _counter(task) < vdso[1] for task in _tasks(pid)):
            return
        if time.monotonic() > deadline:
            raise NoClocks(f"process {pid} does nothing but read the clock")
        os.kill(pid, signal.SIGCONT)
        time.sleep(_POLL_S)


def _tasks(pid: int) -> Iterator[Path]:
    return Path(f"/proc/{pid}/task").iterdir()


def _is_stopped(task: Path) -> bool:
    try:
        return (task / "stat").read_text().rpartition(")")[2].split()[0] in "TtZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def _counter(task: Path) -> int:
    """Where a thread that is stopped goes on; 0 if it has ended."""
    try:
        told = (task / "syscall").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(told[-1], 16) if len(told) > 1 else 0
