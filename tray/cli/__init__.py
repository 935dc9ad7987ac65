"""The command line: one module per command, no logic; `main` alone prints errors and chooses exit codes."""
