"""A queue of jobs on one machine, kept in a journal. One line asks, one answers.

A job that was acknowledged is handed out once, whatever happens to the machine. So a line of the journal is
durable before the answer leaves, and half a line that a power loss left is cut off before more is written.
"""

import os
from contextlib import suppress

import trio

from ostrakon import note

PORT, FOLDER = 5500, "/var/jobs"
PATH = f"{FOLDER}/journal"
BUGS = {
    "unsynced-take": "a job is handed out before the journal says so durably",
    "unsynced-put": "a job is acknowledged before it is durable",
    "half-line": "what is written next is put behind half a line",
}


class Queue:
    """Jobs that wait, in order."""

    def __init__(self, bug=None):
        self.bug, self.jobs = bug, []
        os.makedirs(FOLDER, exist_ok=True)
        self.file = os.open(PATH, os.O_RDWR | os.O_CREAT)
        self.sync_folders()
        text = os.read(self.file, 1 << 24)
        whole = text.rfind(b"\n") + 1
        for line in text[:whole].decode(errors="replace").splitlines():
            what, _, job = line.partition(" ")
            if what == "put" and job.isdigit():
                self.jobs.append(int(job))
            elif what == "take" and job.isdigit() and int(job) in self.jobs:
                self.jobs.remove(int(job))
        if bug != "half-line":
            os.ftruncate(self.file, whole)
        os.lseek(self.file, 0, os.SEEK_END)

    def sync_folders(self):
        """Make the journal's name durable, and its folder's."""
        for path in (FOLDER, os.path.dirname(FOLDER)):
            folder = os.open(path, os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)

    def write(self, line, *, sync):
        """Write a line of the journal."""
        os.write(self.file, line.encode() + b"\n")
        if sync:
            os.fsync(self.file)

    def put(self, job):
        """A job more."""
        self.write(f"put {job}", sync=self.bug != "unsynced-put")
        self.jobs.append(job)
        return f"ok {job}"

    def take(self):
        """Hand out the first job."""
        if not self.jobs:
            return "empty"
        job = self.jobs.pop(0)
        note(
            "handed-out", value=job
        )  # Before the journal has it: a job can be missing only if this was said.
        self.write(f"take {job}", sync=self.bug != "unsynced-take")
        return f"ok {job}"


async def serve(bug=None):
    """Answer `put JOB` and `take`."""
    queue = Queue(bug)

    async def handle(stream):
        rest = b""
        with suppress(trio.BrokenResourceError):
            async for chunk in stream:
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    what, *job = line.decode().split()
                    answer = queue.put(int(job[0])) if what == "put" else queue.take()
                    await stream.send_all(answer.encode() + b"\n")

    await trio.serve_tcp(handle, PORT)
