"""What people do to data that is public already: roll back, withdraw, erase rows, announce, hold until a day.

Each act says who and why, is written down before it is done, and can be repeated when it was cut short.
"""

from odpipeline.acts.announcing import announce
from odpipeline.acts.embargoing import keep_back
from odpipeline.acts.erasing import Erasure, lift
from odpipeline.acts.rebuilding import rebuild
from odpipeline.acts.recording import declared
from odpipeline.acts.rolling_back import Rollback
from odpipeline.acts.withdrawing import Readmission, Withdrawal

__all__ = ["Erasure", "Readmission", "Rollback", "Withdrawal", "announce", "declared", "keep_back", "lift", "rebuild"]
