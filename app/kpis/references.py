"""Which KPIs are computed from which: ways through the references between them."""

from collections import deque
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

Graph = Mapping[str, AbstractSet[str]]  # a KPI's key and the keys that any of its versions refers to


def way(graph: Graph, start: str, goal: str) -> Sequence[str] | None:
    """The shortest way from one KPI to another along references, both included; None where there is none."""
    before: dict[str, str | None] = {start: None}
    waiting = deque([start])
    while waiting:
        key = waiting.popleft()
        if key == goal:
            return _traced(before, key)
        for following in sorted(graph.get(key, ())):
            if following not in before:
                before[following] = key
                waiting.append(following)
    return None


def all_from(graph: Graph, start: str) -> frozenset[str]:
    """All KPIs that one is computed from, in the end, with itself."""
    found, waiting = {start}, [start]
    while waiting:
        new = set(graph.get(waiting.pop(), ())) - found
        found |= new
        waiting += new
    return frozenset(found)


def dependants(graph: Graph, key: str) -> list[str]:
    """The KPIs that refer to one themselves, in alphabetical order."""
    return sorted(other for other, named in graph.items() if key in named)


def reversed_graph(graph: Graph) -> Graph:
    """Which KPIs each one is referred to by."""
    return {key: set(dependants(graph, key)) for named in graph.values() for key in named}


def _traced(before: Mapping[str, str | None], end: str) -> list[str]:
    steps: list[str] = []
    key: str | None = end
    while key is not None:
        steps.append(key)
        key = before[key]
    return steps[::-1]
