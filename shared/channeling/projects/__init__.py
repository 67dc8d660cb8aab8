"""Projects: who may mint tokens, which providers answer, and under which rules."""
