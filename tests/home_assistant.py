"""A Home Assistant that takes only payloads that its documentation allows: MQTT device discovery, sensors and binary sensors.

https://www.home-assistant.io/integrations/mqtt/ (discovery topic, device discovery payload), /integrations/sensor.mqtt/,
/integrations/binary_sensor.mqtt/ and the lists of device classes and units of /integrations/sensor/.
"""

import json
import re
from datetime import datetime
from typing import Any

LONG = {
    "p": "platform",
    "dev": "device",
    "o": "origin",
    "cmps": "components",
    "ids": "identifiers",
    "mf": "manufacturer",
    "sw": "sw_version",
}
ROOT = {"device", "origin", "components", "state_topic", "qos", "encoding"}
DEVICE = {"identifiers", "name", "manufacturer", "model", "sw_version", "hw_version", "serial_number"}
ORIGIN = {"name", "sw_version", "support_url"}
ENTITY = {"platform", "unique_id", "name", "state_topic", "value_template", "device_class"}
SENSOR = ENTITY | {"unit_of_measurement", "state_class", "options", "suggested_display_precision"}
UNITS = {
    "timestamp": {None},
    "enum": {None},
    "duration": {"d", "h", "min", "s", "ms", "µs"},
    "data_size": {"bit", "kbit", "Mbit", "Gbit", "B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB", "KiB", "MiB"},
}
BINARY = {"problem", "tamper", "running", "safety"}
TOPIC = re.compile(r"(?P<prefix>.+)/device/(?P<id>[a-zA-Z0-9_-]+)/config")


class HomeAssistant:
    """The entities and values that it has understood.

    Attributes:
        entities: The present entities by unique id, each with its settings.
        states: The last content of each topic.
        name: The device's name.
    """

    def __init__(self, prefix: str = "homeassistant") -> None:
        self._prefix = prefix
        self._components: dict[str, tuple[str, str]] = {}
        self.entities: dict[str, dict[str, Any]] = {}
        self.states: dict[str, str] = {}
        self.name = ""

    def receive(self, topic: str, content: bytes) -> None:
        """Take one message; AssertionError if it is not as documented."""
        match = TOPIC.fullmatch(topic)
        if not topic.startswith(f"{self._prefix}/"):
            self.states[topic] = content.decode()
            return
        assert match, f"illegal discovery topic {topic}"
        assert match["prefix"] == self._prefix
        if not content:
            self.entities, self._components = {}, {}
            return
        self._discovered(_long(json.loads(content)))

    def _discovered(self, payload: dict[str, Any]) -> None:
        assert payload.keys() <= ROOT
        device, origin = _long(payload["device"]), _long(payload["origin"])
        assert device.keys() <= DEVICE
        assert all(isinstance(item, str) for item in device["identifiers"])
        assert device["identifiers"], "a device needs an identifier"
        assert origin.keys() <= ORIGIN
        assert isinstance(origin["name"], str)
        assert payload["qos"] in (0, 1, 2)
        self.name = device["name"]
        for key, component in payload["components"].items():
            self._component(key, _long(component))
        for key, (_, unique) in list(self._components.items()):
            if (
                key not in payload["components"]
            ):  # it stays in the registry: only an entry with nothing but `p` removes it
                raise AssertionError(f"{key} ({unique}) was dropped without being removed")

    def _component(self, key: str, component: dict[str, Any]) -> None:
        assert re.fullmatch(r"[a-zA-Z0-9_-]+", key)
        platform = component["platform"]
        assert platform in ("sensor", "binary_sensor")
        if component.keys() == {"platform"}:
            _, unique = self._components.pop(key, ("", ""))
            self.entities.pop(unique, None)
            return
        assert component.keys() <= (SENSOR if platform == "sensor" else ENTITY)
        unique = component["unique_id"]
        assert re.fullmatch(r"[a-zA-Z0-9_-]+", unique)
        assert self._components.get(key, (platform, unique)) == (platform, unique), "an entity never changes its kind"
        assert unique not in self.entities or self._components.get(key) == (platform, unique), (
            f"{unique} is there twice"
        )
        assert component["state_topic"]
        assert not set("+#") & set(component["state_topic"])
        assert re.fullmatch(r"\{\{ value_json\.[a-z_]+ \}\}", component["value_template"])
        kind = component["device_class"]
        if platform == "sensor":
            assert component.get("unit_of_measurement") in UNITS[kind]
            assert kind not in ("timestamp", "enum") or "state_class" not in component
            assert ("options" in component) == (kind == "enum")
        else:
            assert kind in BINARY
        self._components[key] = (platform, unique)
        self.entities[unique] = component

    def value(self, name: str) -> object:
        """Return the value of the entity of this *name* as Home Assistant shows it; None: unknown."""
        (entity,) = [entity for entity in self.entities.values() if entity["name"] == name]
        content = self.states.get(entity["state_topic"], "")
        if not content:
            return None
        key = entity["value_template"].removeprefix("{{ value_json.").removesuffix(" }}")
        value = json.loads(content)[key]
        if value is None:
            return None
        if entity["platform"] == "binary_sensor":
            return {"ON": True, "OFF": False}[value]
        match entity["device_class"]:
            case "timestamp":
                moment = datetime.fromisoformat(value)
                assert moment.tzinfo is not None
                return moment
            case "enum":
                assert value in entity["options"]
            case _:
                assert isinstance(value, int | float)
                assert not isinstance(value, bool)
        return value

    def names(self) -> set[str]:
        """Return the names of all entities."""
        return {entity["name"] for entity in self.entities.values()}


def _long(data: dict[str, Any]) -> dict[str, Any]:
    return {LONG.get(key, key): value for key, value in data.items()}
