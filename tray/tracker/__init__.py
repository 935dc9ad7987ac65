"""The tracker: every live run, in memory only. `state` is what it knows, `server` talks, `start` brings one up."""
