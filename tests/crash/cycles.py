"""How many times servers are killed (30, or SEVQ_CRASH_CYCLES), and the seed of the random choices.
"""
import os
import random

CYCLES = int(os.environ.get("SEVQ_CRASH_CYCLES", "30"))
LEASE_CYCLES = (CYCLES + 1) // 2
DRAIN_CYCLES = CYCLES - LEASE_CYCLES
SEED = int(os.environ.get("SEVQ_CRASH_SEED", random.randrange(1 << 32)))
