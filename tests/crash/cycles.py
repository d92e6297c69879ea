"""How often servers are killed: 30 times in all, or as often as asked for; and by which dice."""
import os
import random

CYCLES = int(os.environ.get("SEVQ_CRASH_CYCLES", "30"))
LEASE_CYCLES = (CYCLES + 1) // 2
DRAIN_CYCLES = CYCLES - LEASE_CYCLES
SEED = int(os.environ.get("SEVQ_CRASH_SEED", random.randrange(1 << 32)))
