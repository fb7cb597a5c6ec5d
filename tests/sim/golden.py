"""Write the golden digests of the stories; read the difference before you commit it."""

from tests.sim.machine.test_determinism import GOLDEN, SEEDS
from tests.sim.scenario import story

if __name__ == "__main__":
    GOLDEN.parent.mkdir(parents=True, exist_ok=True)
    GOLDEN.write_text("".join(f"{seed} {story(seed)[-1]}\n" for seed in SEEDS))
