"""What is promised of each dataset's age, which days count, what is late, by how much, since when."""

from odpipeline.freshness.ages import Freshness, Newest, ahead, freshness, newest_event, spoken
from odpipeline.freshness.delivered import dated, missing_periods
from odpipeline.freshness.promise import Promise

__all__ = ["Freshness", "Newest", "Promise", "ahead", "dated", "freshness", "missing_periods", "newest_event", "spoken"]
