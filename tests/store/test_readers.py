"""A hundred readers during a thousand publications: no error, and never two releases in one reading."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import Any

from odpipeline.store import Store
from tests.store.making import a_staged, parkings, yes

READERS, PUBLICATIONS = 100, 1_000


def test_a_hundred_readers_see_one_whole_release_each_time(store: Store, tmp_path: Path) -> None:
    contents = [a_staged(tmp_path / f"s{n}", parkings(places=n * 10)) for n in range(8)]
    store.publish(contents[0], yes(contents[0]))
    wrong: list[Any] = []
    read, stop = threading.Semaphore(0), threading.Event()

    def reader() -> None:
        while not stop.is_set():
            try:
                release = store.current("parkings")
                assert release is not None
                for file in release.files:
                    content = (release.folder / file.name).read_bytes()
                    if hashlib.sha256(content).hexdigest() != file.sha256:
                        wrong.append((release.version, file.name))
            except Exception as error:  # noqa: BLE001 - whatever it is, a reader was shown it
                wrong.append(error)
            read.release()
            stop.wait(0.3)  # a hundred of them share two cores with the publisher

    readers = [threading.Thread(target=reader) for _ in range(READERS)]
    for one in readers:
        one.start()
    for n in range(1, PUBLICATIONS + 1):
        staged = contents[n % len(contents)]
        store.publish(staged, yes(staged))
        read.acquire()  # readers get their turn between any two publications
    stop.set()
    for one in readers:
        one.join()
    assert wrong == []
    assert store.current("parkings").version == PUBLICATIONS + 1  # type: ignore[union-attr]
