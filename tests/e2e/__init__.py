"""Both ends simulated, the whole connector in between."""
