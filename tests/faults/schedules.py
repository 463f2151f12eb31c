"""Schedules of faults: plain values, drawn from a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass

# Who calls AWS: the export job with its Spark workers, the view job, and the endpoint itself, for
# crawler and queries.
EXPORT, PUBLISH, ENGINE = PLACES = ("export", "publish", "engine")
SERVICES = ("athena", "dynamodb", "glue", "s3")
# Into how many parts a table is cut.
SPLITS = "4"

# What happens to single calls, each with a probability.
THROTTLE = "throttled"
SLOW_DOWN = "slow down"
INTERNAL = "internal error"
RESET = "connection reset"
LOST = "answer lost"
TRUNCATED = "answer truncated"
DELAY = "delayed"
CALL_KINDS = (THROTTLE, SLOW_DOWN, INTERNAL, RESET, LOST, TRUNCATED, DELAY)
# What happens once, when a certain call comes.
OUTAGE = "service out"
CUT_OFF = "job cut off"
WORKER_KILLED = "Spark worker killed"
TABLE_GONE = "table deleted"
ITEMS_CHANGE = "items changed"
PART_CORRUPTED = "part file corrupted"
PART_DELETED = "part file deleted"
PART_ADDED = "part file added"
CRAWLER_FAILS = "crawler failed"
CRAWLER_BUSY = "crawler busy"
TABLE_LOCKED = "catalog table locked"
QUERY_CANCELLED = "query cancelled"
OVERLAP = "second run"
UNGUARDED = "second run, allowed"
JOB_KILLED = "job process killed"
DISK_FULL = "disk full"
KINDS = (
    *CALL_KINDS,
    OUTAGE,
    CUT_OFF,
    WORKER_KILLED,
    TABLE_GONE,
    ITEMS_CHANGE,
    PART_CORRUPTED,
    PART_DELETED,
    PART_ADDED,
    CRAWLER_FAILS,
    CRAWLER_BUSY,
    TABLE_LOCKED,
    QUERY_CANCELLED,
    OVERLAP,
    UNGUARDED,
    JOB_KILLED,
    DISK_FULL,
)
# How many schedules `make test` runs; `make test-deep` runs hundreds.
USUAL = 8
OF_PART_FILES = (PART_CORRUPTED, PART_DELETED, PART_ADDED)
# They need a job in a process of its own, which takes long.
OF_PROCESSES = (JOB_KILLED, DISK_FULL)
# It needs executors that are processes of their own, which take long to come up.
EXECUTOR_KILLED = "Spark executor killed"
# Two share a turn, so that twenty schedules have every kind but two.
SHARED = (OF_PROCESSES, (OVERLAP, UNGUARDED))
TURNS = (*((kind,) for kind in KINDS if kind not in {*SHARED[0], *SHARED[1]}), *SHARED)


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        kind: what happens.
        place: to whose calls; empty for everybody's.
        service: the service whose calls it applies to; empty for all.
        operation: to which calls; empty for all.
        probability: of each such call.
        after: how many such calls go well before.
        most: how often it happens at most; 0 for no limit.
        seconds: how long a delay is.
    """

    kind: str
    place: str = ""
    service: str = ""
    operation: str = ""
    probability: float = 1.0
    after: int = 0
    most: int = 1
    seconds: float = 0.0


@dataclass(frozen=True)
class Target:
    """What is exported: in which format, by which reader, and how often a job is tried again.

    ``update`` is what adds snapshots to the catalog, ``engine`` what runs the export job.
    """

    format: str
    reader: str
    retries: int
    update: str = "crawler"
    engine: str = "spark"

    @property
    def table(self) -> str:
        unusual = [word for word in (self.update, self.engine) if word in {"direct", "python"}]
        return "-".join(["Orders", self.format, self.reader, *unusual])


TARGETS = (
    Target("parquet", "native", 1),
    Target("json", "native", 0),
    Target("csv", "connector", 1),
    Target("orc", "export", 0),
    Target("avro", "native", 0),
    Target("parquet", "native", 0, engine="python"),
    Target("json", "export", 1, "direct", engine="python"),
)


@dataclass(frozen=True)
class Schedule:
    """What happens during one run of one export."""

    seed: int
    target: Target
    faults: tuple[Fault, ...]
    splits: str = SPLITS

    @property
    def in_processes(self) -> bool:
        """Whether the jobs run in processes of their own, as a user's do."""
        return any(fault.kind in OF_PROCESSES for fault in self.faults)


def draw(seed: int) -> Schedule:
    """The schedule of the seed. Each kind has its turn; others may join it."""
    chance = random.Random(seed)
    turn = TURNS[seed % len(TURNS)]
    kind = turn[seed // len(TURNS) % len(turn)]
    # A second attempt in a process of its own takes as long again.
    once = [candidate for candidate in TARGETS if not (candidate.retries and kind in OF_PROCESSES)]
    able = [target for target in once if kind != WORKER_KILLED or target.engine == "spark"]
    target = chance.choice(able)
    faults = [fault_of(kind, target, chance)]
    if chance.random() < 0.25:
        faults.append(fault_of(chance.choice(CALL_KINDS), target, chance))
    return Schedule(seed, target, tuple(faults))


def losing(kind: str, moment: str) -> Schedule:
    """Workers or an executor are killed while a table is read, or around the upload of a file.

    No job is tried again: Spark's own retries must do. Of a native scan the kill comes late: the
    job puts two objects first, then each segment puts its items, if it has any, and its record.
    """
    splits = 64
    reader, service, operation, after = {
        "native": ("native", "s3", "PutObject", 2 + splits),
        "connector": ("connector", "dynamodb", "Scan", splits // 3),
        "before": ("native", "s3", "CreateMultipartUpload", 0),
        "upload": ("native", "s3", "UploadPart", 0),
        "after": ("native", "s3", "CompleteMultipartUpload", 0),
    }[moment]
    fault = Fault(kind, EXPORT, service, operation, after=after)
    # Not one of TARGETS, whose tables have the names of format and reader.
    return Schedule(0, Target("orc", reader, 0), (fault,), str(splits))


def refusing(kind: str, operation: str) -> Schedule:
    """S3 refuses the first calls of an upload of files, or all of them if it is out of service."""
    most = 0 if kind == OUTAGE else 3
    fault = Fault(kind, EXPORT, "s3", operation, most=most)
    return Schedule(0, Target("orc", "native", 0), (fault,))


# What happens to the view job where there is no crawler: to its calls that add the snapshot to the
# catalog, to the files before it, and to its query.
WITHOUT_CRAWLER = (
    Fault(LOST, PUBLISH, "glue", "CreatePartition"),
    Fault(OUTAGE, PUBLISH, "glue", "CreatePartition", most=0),
    Fault(PART_DELETED, PUBLISH, "glue", "GetWorkflowRunProperties"),
    Fault(QUERY_CANCELLED, ENGINE, "glue", "UpdateTable"),
)


def without_crawler(number: int) -> Schedule:
    """One of these faults, with a seed below those that are drawn."""
    target = Target("json", "native", 0, "direct")
    return Schedule(-1 - number, target, (WITHOUT_CRAWLER[number],))


# Which calls there are: of whom to which service, and about how many in one run.
CALLS = {
    (EXPORT, "dynamodb"): 6,
    (EXPORT, "glue"): 5,
    (EXPORT, "s3"): 40,
    (PUBLISH, "athena"): 2,
    (PUBLISH, "glue"): 8,
    (PUBLISH, "s3"): 2,
    (ENGINE, "glue"): 8,
    (ENGINE, "s3"): 3,
}


def fault_of(kind: str, target: Target, chance: random.Random) -> Fault:
    """A fault of the kind that can happen during a run of the target."""
    return call_fault(kind, chance) if kind in CALL_KINDS else EVENTS[kind](kind, target, chance)


def outage(kind: str, _: Target, chance: random.Random) -> Fault:
    place, service = chance.choice(sorted(CALLS))
    return Fault(kind, place, service, after=chance.randrange(CALLS[place, service]), most=0)


def cut_off(kind: str, _: Target, chance: random.Random) -> Fault:
    place = chance.choice((EXPORT, PUBLISH))
    calls = sum(CALLS[call] for call in CALLS if call[0] == place)
    return Fault(kind, place, after=chance.randrange(calls), most=0)


def at_reading(kind: str, target: Target, chance: random.Random) -> Fault:
    by_scan = target.reader != "export"
    asked, pages = ("Scan", 4) if by_scan else ("ExportTableToPointInTime", 1)
    return Fault(kind, EXPORT, "dynamodb", asked, after=chance.randrange(pages))


def at_part_files(kind: str, _: Target, chance: random.Random) -> Fault:
    """Before the crawl, or behind it."""
    before = Fault(kind, ENGINE, "glue", "GetCrawler")
    return chance.choice((before, Fault(kind, PUBLISH, "glue", "GetWorkflowRunProperties")))


def crawler_fails(kind: str, _: Target, chance: random.Random) -> Fault:
    service = chance.choice(("glue", "s3"))
    return Fault(kind, ENGINE, service, after=chance.randrange(3), most=0)


def table_locked(kind: str, _: Target, __: random.Random) -> Fault:
    return Fault(kind, ENGINE, "glue", "UpdateTable", most=0)


def query_cancelled(kind: str, _: Target, __: random.Random) -> Fault:
    """The crawler updates the table first, then the query the view."""
    return Fault(kind, ENGINE, "glue", "UpdateTable", after=1)


def disk_full(kind: str, target: Target, _: random.Random) -> Fault:
    return Fault(kind, operation="Scan" if target.reader != "export" else "DescribeExport")


def any_time(kind: str, _: Target, chance: random.Random) -> Fault:
    """The run is under way: any call may be the one."""
    place = "" if kind in OF_PROCESSES else EXPORT
    return Fault(kind, place, after=chance.randrange(5, 40))


EVENTS = {
    OUTAGE: outage,
    CUT_OFF: cut_off,
    WORKER_KILLED: any_time,
    TABLE_GONE: at_reading,
    ITEMS_CHANGE: at_reading,
    PART_CORRUPTED: at_part_files,
    PART_DELETED: at_part_files,
    PART_ADDED: at_part_files,
    CRAWLER_FAILS: crawler_fails,
    CRAWLER_BUSY: any_time,
    TABLE_LOCKED: table_locked,
    QUERY_CANCELLED: query_cancelled,
    OVERLAP: any_time,
    UNGUARDED: any_time,
    JOB_KILLED: any_time,
    DISK_FULL: disk_full,
}


def call_fault(kind: str, chance: random.Random) -> Fault:
    """Something that happens to calls of one service, or to all calls of the run."""
    services = {THROTTLE: ("athena", "dynamodb", "glue"), SLOW_DOWN: ("s3",)}.get(kind, SERVICES)
    place, service = chance.choice([call for call in sorted(CALLS) if call[1] in services])
    if kind not in {THROTTLE, SLOW_DOWN} and chance.random() < 0.5:
        place, service = "", ""
    few = bool(service) and CALLS[place, service] < 10
    return Fault(
        kind,
        place,
        service,
        probability=round(chance.uniform(0.3, 0.6) if few else chance.uniform(0.05, 0.3), 2),
        most=0,
        seconds=round(chance.uniform(0.02, 0.2), 2),
    )
