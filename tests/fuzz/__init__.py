"""Coverage-guided fuzzing of everything that reads an engine's output."""
