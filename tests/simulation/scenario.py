"""What is to happen in a world: drawn from its seed, changed only by shrinking. Everything is written out.

Swarm testing: each seed switches every anomaly on or off and draws sizes of its own, so that rare things are frequent
in some worlds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Final

STAGES: Final = ("ocr", "chunk", "extract")
RATES: Final = (
    "db_slow", "db_broken", "db_torn", "kafka_slow", "unconfirmed", "refused", "store_unavailable", "transient",
    "crash", "bug", "slow_child", "ticks",
)  # fmt: skip
_LIMIT: Final = {"db_slow": 0.05, "db_broken": 0.05, "db_torn": 0.3, "kafka_slow": 0.05, "unconfirmed": 0.03}
_CHILD_LIMIT: Final = {"transient": 0.3, "crash": 0.2, "bug": 0.1, "slow_child": 0.3, "ticks": 1.0}


@dataclass(frozen=True)
class Document:
    """One upload. `bad` are the slices that can never be done."""

    name: str
    tenant: str
    pages: int
    at: float
    bad: tuple[int, ...] = ()
    copy_of: str = ""  # the same bytes as another's
    key: str | None = None  # Idempotency-Key


@dataclass(frozen=True)
class Wish:
    """What a person asks of a document."""

    at: float
    kind: str  # "cancel", "retry" or "delete"
    document: str


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong at a moment. `who` is a process, or what else it is about."""

    at: float
    kind: str
    who: str = ""
    seconds: float = 0.0
    calls: int = 0  # it comes with the so-manieth call to the outside that `who` makes from then on

    def __str__(self) -> str:
        lasting = f" for {self.seconds:.1f} s" if self.seconds else ""
        called = f" at its call {self.calls}" if self.calls else ""
        return f"{self.kind} {self.who}".strip() + lasting + called


@dataclass(frozen=True)
class Scenario:
    """One world. `calm_at` is when nothing goes wrong any more."""

    seed: int
    stages: tuple[str, ...]
    machines: int
    partitions: int
    children: int
    batch: int
    capacity: int
    patience: float
    page_seconds: float
    clocks: tuple[float, ...]  # by machine
    documents: tuple[Document, ...]
    wishes: tuple[Wish, ...] = ()
    faults: tuple[Fault, ...] = ()
    rates: dict[str, float] = field(default_factory=lambda: dict.fromkeys(RATES, 0.0))
    crumbs: bool = False
    calm_at: float = 0.0
    again: bool = False  # at the end people try again whatever has failed, was cancelled or lacks something
    tidy: bool = False  # the janitor goes round every few seconds and keeps nothing for long
    snapshot_facts: int = 0  # how much the log grows before a snapshot of it is made; 0: never
    bulk: bool = False  # letters that were uploaded together: the first must be done early

    def document(self, name: str) -> Document:
        return next(document for document in self.documents if document.name == name)

    @property
    def is_quiet(self) -> bool:
        """Whether nothing goes wrong and nobody asks for anything."""
        return not (
            self.faults or self.wishes or any(self.rates.values()) or any(d.bad or d.copy_of for d in self.documents)
        )

    @property
    def processes(self) -> list[str]:
        """The names of all processes."""
        kinds = [*self.stages, "progress"]
        return ["gateway", *(f"m{n}/{kind}" for n in range(self.machines) for kind in kinds)]

    def but(self, **changes: Any) -> "Scenario":
        return replace(self, **changes)


def draw(seed: int) -> Scenario:
    """The scenario of a seed."""
    return _drawn(seed).but(snapshot_facts=Random(~seed).choice((0, 0, 4, 12)))


def _drawn(seed: int) -> Scenario:
    random = Random(seed)
    kind = random.random()
    if kind < 0.04:
        return _bulk(seed, random)
    if kind < 0.12:
        return _long(seed, random)
    stages = STAGES[: random.choice((1, 1, 2, 3))]
    machines = random.choice((1, 1, 2, 2, 3))
    many = random.random() < 0.15
    documents = tuple(
        _document(random, n, many=many) for n in range(random.randint(4, 9) if many else random.randint(1, 3))
    )
    batch = random.choice((1, 3, 10, 10_000))
    scenario = Scenario(
        seed=seed, stages=stages, machines=machines, partitions=random.choice((1, 2, 3)),
        children=random.choice((1, 1, 2, 3)), batch=batch, capacity=batch * random.choice((1, 1, 3)),
        patience=random.choice((0.0, 1.0, 1.0, 3.0)), page_seconds=random.choice((0.1, 1.0, 3.0)),
        clocks=tuple(random.choice((0.0, 0.0, 60.0, -60.0)) for _ in range(machines)),
        documents=documents, rates=_rates(random), crumbs=random.random() < 0.3,
    )  # fmt: skip
    lasts = max(document.at for document in documents) + random.choice((4.0, 15.0, 30.0))
    wishes = _wishes(random, documents, lasts) if random.random() < 0.5 else ()
    faults = _faults(random, scenario, lasts) if random.random() < 0.8 else ()
    if wishes and faults and random.random() < 0.4:  # misfortunes that meet
        faults = tuple(replace(fault, at=max(0.0, random.choice(wishes).at + random.gauss(0, 1.5))) for fault in faults)
    calm_at = max([lasts, *(f.at + f.seconds for f in faults), *(w.at for w in wishes)]) if faults or wishes else lasts
    scenario = scenario.but(wishes=wishes, faults=faults, calm_at=calm_at, again=random.random() < 0.3)
    tidy = random.random() < 0.2 and not any(scenario.clocks)
    return _misfortunes(random, scenario.but(tidy=tidy), lasts)


def _misfortunes(random: Random, scenario: Scenario, lasts: float) -> Scenario:
    """Deaths and pauses between any two calls to the outside, and uploads of the same bytes."""
    documents, faults = list(scenario.documents), list(scenario.faults)
    if random.random() < 0.25:
        one = random.choice(documents)
        key = random.choice((None, "key"))
        documents.append(
            replace(one, name=f"doc-{len(documents)}", copy_of=one.name, key=key, at=random.uniform(0, lasts))
        )
    if random.random() < 0.4:
        who = random.sample(scenario.processes, min(len(scenario.processes), random.randint(1, 2)))
        for _ in range(random.randint(1, 3)):
            calls, at = int(2 ** random.uniform(0, 8)), random.choice((0.0, random.uniform(0, lasts)))
            lasting = random.choice((0.0, 0.0, 12.0, 25.0))
            faults.append(Fault(at, "freeze" if lasting else "kill", random.choice(who), lasting, calls))
    calm_at = max(scenario.calm_at, *(d.at for d in documents), *(f.at + f.seconds for f in faults), 0.0)
    return scenario.but(documents=tuple(documents), faults=tuple(faults), calm_at=calm_at)


def _bulk(seed: int, random: Random) -> Scenario:
    count = random.choice((12, 20, 30))
    documents = tuple(Document(f"doc-{n}", "a", 1, 0.0) for n in range(count))
    return Scenario(
        seed=seed, stages=STAGES[: random.choice((1, 2, 3))], machines=1, partitions=2, children=1, batch=10_000,
        capacity=10_000, patience=1.0, page_seconds=1.0, clocks=(0.0,), documents=documents, bulk=True,
    )  # fmt: skip


def _long(seed: int, random: Random) -> Scenario:
    """Many documents, read again from the beginning by folds that keep few in memory."""
    count = random.choice((12, 20))
    documents = tuple(_document(random, n, many=True) for n in range(count))
    documents = tuple(replace(document, pages=1, at=random.choice((0.0, 5.0))) for document in documents)
    batch = random.choice((2, 4))
    faults = (Fault(random.uniform(5, 25), "drop"),)
    return Scenario(
        seed=seed, stages=STAGES[:1], machines=1, partitions=random.choice((1, 3)), children=2, batch=batch,
        capacity=batch, patience=random.choice((0.0, 1.0)), page_seconds=0.5, clocks=(0.0,), documents=documents,
        faults=faults, calm_at=faults[0].at, crumbs=random.random() < 0.3,
    )  # fmt: skip


def _document(random: Random, number: int, *, many: bool) -> Document:
    pages = 1 if many else random.choice((1, 1, 2, 3, 5))
    bad = tuple(n for n in range(pages) if random.random() < 0.05)
    at = 0.0 if random.random() < 0.5 else random.uniform(0, 6)
    return Document(f"doc-{number}", random.choice("aab"), pages, at, bad)


def _rates(random: Random) -> dict[str, float]:
    most = {**dict.fromkeys(RATES, 0.03), **_LIMIT, **_CHILD_LIMIT}
    return {name: round(random.uniform(0, most[name]), 3) if random.random() < 0.25 else 0.0 for name in RATES}


def _wishes(random: Random, documents: Sequence[Document], lasts: float) -> tuple[Wish, ...]:
    found = []
    for _ in range(random.randint(1, 3)):
        document = random.choice(documents)
        at = document.at + random.expovariate(0.4) if random.random() < 0.5 else random.uniform(document.at, lasts)
        kind = random.choice(("cancel", "cancel", "cancel", "retry", "delete"))
        found.append(Wish(at, kind, document.name))
        if kind == "cancel" and random.random() < 0.7:
            found.append(Wish(at + random.choice((1.0, 3.0, 8.0)) * random.random() + 0.3, "retry", document.name))
    return tuple(found)


def _faults(random: Random, scenario: Scenario, lasts: float) -> tuple[Fault, ...]:
    kinds = ("kill", "kill", "kill", "term", "freeze", "db_away", "broker_away", "store_full", "store_away", "drop",
             "rebuild", "dry_run", "rollback", "damage", "repeat")  # fmt: skip
    mine = random.sample(kinds, random.randint(1, 4))
    found = []
    for _ in range(random.randint(1, 5)):
        kind, at = random.choice(mine), random.uniform(0.1, lasts)
        match kind:
            case "kill" | "term":
                found.append(Fault(at, kind, random.choice(scenario.processes)))
            case "freeze":
                found.append(Fault(at, kind, random.choice(scenario.processes), random.choice((3.0, 15.0, 25.0))))
            case "db_away":
                found.append(Fault(at, kind, seconds=random.choice((2.0, 12.0, 30.0))))
            case "broker_away":
                found.append(Fault(at, kind, seconds=random.choice((1.0, 10.0, 30.0))))
            case "store_full" | "store_away":
                found.append(Fault(at, kind, seconds=random.choice((1.0, 10.0))))
            case _:
                found.append(Fault(at, kind))
                if kind in ("rebuild", "rollback") and random.random() < 0.4:
                    found.append(Fault(at + random.uniform(0, 3), "kill", "rebuild"))
    return tuple(sorted(found, key=lambda fault: fault.at))
