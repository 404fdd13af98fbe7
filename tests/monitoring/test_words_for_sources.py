"""Whatever a source can do wrong has a cause of its own for engineers, and words for the data's owner."""

from odpipeline.errors import SourceError
from odpipeline.monitoring.looking import _BY_ERROR
from odpipeline.quality.owner import _FAILURES

OF_SOURCES = {kind.__name__ for kind in (SourceError, *SourceError.__subclasses__())}


def test_every_error_of_a_source_has_a_cause_and_words_for_owners():
    assert set(_FAILURES) >= OF_SOURCES
    assert set(_BY_ERROR) | {"SourceUnavailable"} >= OF_SOURCES  # what does not answer is grouped by its system
