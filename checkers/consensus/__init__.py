"""Is this Paxos right? The rules of consensus held against what clients saw and what nodes did.

`consensus` judges a whole trial and says who is to blame; `with_blame` adds that to any verdicts. `Watch`
judges a trace as it grows, `ConsensusMonitor` a trial. `properties` has each rule as a checker of its own.
"""

from ostrakon.checkers.consensus.blame import Blame, blame, with_blame
from ostrakon.checkers.consensus.judgement import consensus
from ostrakon.checkers.consensus.monitor import ConsensusMonitor, Watch
from ostrakon.checkers.consensus.rules import RULES

__all__ = ["RULES", "Blame", "ConsensusMonitor", "Watch", "blame", "consensus", "with_blame"]
