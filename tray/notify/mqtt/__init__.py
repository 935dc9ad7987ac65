"""Show the status in Home Assistant, by an MQTT broker.

home_assistant.py   the messages that describe a device and the values of its entities; pure
connection.py       one conversation with a broker
"""
