"""Tests: unit (fast), e2e (real programs), bench (tables)."""
