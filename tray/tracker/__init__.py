"""The tracker: knows every live run, in memory only. `state` is the knowledge, `server` the conversation, `start` how one comes to be."""
