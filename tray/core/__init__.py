"""The base of all other folders: model, errors, time, places, locks, processes, secrets. It imports none of them."""
