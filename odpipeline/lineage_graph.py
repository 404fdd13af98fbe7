"""What hangs on what: from municipal systems to public pages and files, and between datasets; for people and machines.

Computed from the declarations alone, so it holds before anything has run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from odpipeline import lineage
from odpipeline.declaration import formats
from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.town import Town
from odpipeline.errors import OdpError

STAGES = ("captured", "conformed", "staged", "published")


@dataclass(frozen=True)
class Node:
    """One thing: `id` names it for machines (`dataset:parkings/published`), `label` for people."""

    id: str
    label: str


@dataclass(frozen=True)
class Edge:
    """`target` is made from `source`; `how` says what is done on the way, "" where nothing is to be said."""

    source: str
    target: str
    how: str = ""


@dataclass
class Graph:
    """Nodes and edges, each once, in the order in which they were found."""

    nodes: dict[str, Node] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)

    def node(self, name: str, label: str) -> str:
        """Add a node unless it is there; its id."""
        self.nodes.setdefault(name, Node(name, label))
        return name

    def edge(self, source: str, target: str, how: str = "") -> None:
        """Add an edge unless it is there."""
        if (made := Edge(source, target, how)) not in self.edges:
            self.edges.append(made)

    def as_json(self) -> dict[str, Any]:
        """Nodes and edges as lists of objects."""
        return {"nodes": [vars(node) for node in self.nodes.values()], "edges": [vars(edge) for edge in self.edges]}

    def as_mermaid(self) -> str:
        """The graph as a Mermaid flowchart, from left to right."""
        names = {name: f"n{number}" for number, name in enumerate(self.nodes)}
        lines = ["flowchart LR"]
        lines += [f'  {names[node.id]}["{_quoted(node.label)}"]' for node in self.nodes.values()]
        for edge in self.edges:
            how = f'|"{_quoted(edge.how)}"|' if edge.how else ""
            lines.append(f"  {names[edge.source]} -->{how} {names[edge.target]}")
        return "\n".join(lines) + "\n"

    def as_text(self) -> str:
        """The graph as an indented tree from each node that nothing leads to; what is shown already is not repeated."""
        targets = {edge.target for edge in self.edges}
        shown: set[str] = set()
        roots = [name for name in self.nodes if name not in targets] or list(self.nodes)[:1]
        return "".join(line + "\n" for root in roots for line in self._tree(root, "", 0, shown))

    def _tree(self, name: str, how: str, depth: int, shown: set[str]) -> Iterator[str]:
        mark = "  " * depth + ("→ " if depth else "")
        again = " (see above)" if name in shown and any(edge.source == name for edge in self.edges) else ""
        yield f"{mark}{self.nodes[name].label}{f'  [{how}]' if how else ''}{again}"
        if name in shown:
            return
        shown.add(name)
        for edge in self.edges:
            if edge.source == name:
                yield from self._tree(edge.target, edge.how, depth + 1, shown)


def of_dataset(dataset: Dataset, town: Town) -> Graph:
    """Everything that `dataset` is made from, and everything that is made from it or refers to it."""
    graph = Graph()
    before = _source(graph, dataset, town)
    for stage in STAGES:
        here = _stage(graph, dataset, stage)
        graph.edge(before, here)
        before = here
    for lookup in dict.fromkeys(one.lookup.file for one in dataset.fields if one.lookup):
        graph.edge(graph.node(f"file:{lookup}", f"reference {lookup}"), f"dataset:{dataset.id}/conformed", "looked up")
    for key in dataset.foreign_keys:
        if key.dataset:
            other = _stage(graph, town.dataset(key.dataset), "published")
            graph.edge(other, f"dataset:{dataset.id}/staged", f"{', '.join(key.fields)} checked against it")
    _downstream(graph, dataset, town)
    return graph


def of_column(dataset: Dataset, column: str, town: Town) -> Graph:
    """What the field `column` comes from, what is done to it, what it goes into, and what is checked against it.

    Raises: OdpError when the dataset has no such field, neither delivered, declared nor published.
    """
    graph = Graph()
    delivered = {given: one.name for one, given in dataset.delivered_fields}
    found = [one for one in lineage.of(dataset) if column in (one.column, *one.delivered)]
    for one in found:
        here = graph.node(f"column:{dataset.id}.{one.column}", f"{dataset.id}.{one.column}")
        for name in one.delivered:
            graph.edge(_as_delivered(graph, dataset, name, town), here, one.transformation)
        for file in _files(dataset):
            graph.edge(here, graph.node(f"file:{file}", file))
        _public(graph, here)
        _referring_columns(graph, dataset, one.column, town)
    declared = {f.name: f for f in dataset.fields}
    if not found and (column in declared or column in delivered):
        name = column if column in declared else delivered[column]
        whence = _as_delivered(graph, dataset, column, town)
        graph.edge(whence, graph.node("dropped", f"{dataset.id}.{name} is not published"), "dropped")
    if not graph.nodes:
        known = ", ".join(one.column for one in lineage.of(dataset))
        raise OdpError(f"there is no column {column!r}", where=dataset.id, mend=f"it publishes: {known}")
    return graph


def of_system(name: str, town: Town) -> Graph:
    """The published datasets that are hit when the system, or the host, `name` changes or goes.

    Raises: OdpError naming the systems that deliver something.
    """
    graph, target = Graph(), f"system:{name}"
    for dataset in town.datasets:
        if _source(Graph(), dataset, town) == target:
            _source(graph, dataset, town)
            graph.edge(target, _stage(graph, dataset, "published"), f"owner {dataset.owner}")
            _downstream(graph, dataset, town)
    if not graph.nodes:
        known = sorted({_source(Graph(), dataset, town).removeprefix("system:") for dataset in town.datasets})
        raise OdpError(f"no dataset comes from {name!r}", mend=f"these deliver something: {', '.join(known) or 'none'}")
    return graph


def hit_by(dataset: Dataset, town: Town) -> list[str]:
    """The datasets that refer to `dataset` itself, in the order of their identifiers."""
    return [other.id for other in town.datasets if any(key.dataset == dataset.id for key in other.foreign_keys)]


def _as_delivered(graph: Graph, dataset: Dataset, column: str, town: Town) -> str:
    """The delivered `column`, below the system that delivers it; its id."""
    source = _source(graph, dataset, town)
    name = graph.node(f"{source}.{column}", f"delivered “{column}”")
    graph.edge(source, name)
    return name


def _referring_columns(graph: Graph, dataset: Dataset, column: str, town: Town) -> None:
    """The columns that are checked against this one, and those that are checked against them."""
    here = f"column:{dataset.id}.{column}"
    for other in town.datasets:
        for key in other.foreign_keys:
            if key.dataset == dataset.id and column in key.references:
                name = key.fields[key.references.index(column)]
                known = f"column:{other.id}.{name}" in graph.nodes
                target = graph.node(f"column:{other.id}.{name}", f"{other.id}.{name}")
                graph.edge(here, target, "checked against it")
                if not known:
                    _referring_columns(graph, other, name, town)


def _public(graph: Graph, published: str) -> None:
    """Below what is published, the catalogue and the portal."""
    graph.edge(published, graph.node("catalogue", "catalogue"))
    graph.edge("catalogue", graph.node("portal", "portal"))


def _source(graph: Graph, dataset: Dataset, town: Town) -> str:
    source = dataset.source
    if source.system:
        system = town.systems.get(source.system)
        label = f"system {source.system}" + (f": {system.title}" if system else "")
        return graph.node(f"system:{source.system}", label)
    host = urlsplit(str(getattr(source, source.kind, ""))).hostname or "files"
    return graph.node(f"system:{host}", f"host {host}" if host != "files" else "files of the town")


def _stage(graph: Graph, dataset: Dataset, stage: str) -> str:
    return graph.node(f"dataset:{dataset.id}/{stage}", f"{dataset.id} {stage}")


def _downstream(graph: Graph, dataset: Dataset, town: Town) -> None:
    published = f"dataset:{dataset.id}/published"
    for file in _files(dataset):
        graph.edge(published, graph.node(f"file:{file}", file))
    _public(graph, published)
    if dataset.series:
        graph.edge(published, graph.node(f"series:{dataset.series.id}", f"series {dataset.series.id}"))
    _referring(graph, dataset, town, {dataset.id})


def _referring(graph: Graph, dataset: Dataset, town: Town, seen: set[str]) -> None:
    """The datasets that refer to `dataset`, and those that refer to them; `seen` are those that were followed."""
    for name in hit_by(dataset, town):
        other = town.dataset(name)
        keys = [key for key in other.foreign_keys if key.dataset == dataset.id]
        how = "; ".join(f"{', '.join(key.fields)} checked against it" for key in keys)
        graph.edge(f"dataset:{dataset.id}/published", _stage(graph, other, "published"), how)
        if name not in seen:
            seen.add(name)
            _referring(graph, other, town, seen)


def _files(dataset: Dataset) -> list[str]:
    """The files of a release that its declaration asks for; one that is large has a compressed CSV besides."""
    endings = ["csv", "parquet"]
    endings += ["geojson", "geo.parquet"] if formats.geometry(dataset) else []
    endings += ["xlsx"] if dataset.formats.xlsx else []
    endings += ["csv.gz"] if dataset.formats.gzip else []
    return [f"{dataset.id}.{ending}" for ending in endings]


def _quoted(text: str) -> str:
    """`text` inside the quotes of a Mermaid label."""
    return re.sub(r'[<>"\[\]{}|#;&]', lambda sign: f"#{ord(sign[0])};", text)


__all__ = ["Edge", "Graph", "Node", "hit_by", "of_column", "of_dataset", "of_system"]
