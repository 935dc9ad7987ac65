"""What every folder above stands on: model, errors, time, places, locks, processes, secrets. Imports nothing above itself."""
