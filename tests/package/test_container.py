"""The container file names what there is: what the build needs and installs, the libraries that the
programs are linked with, options of the server. Whether an engine builds it is not tried.
"""
import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

SOURCES, BUILD = Path(os.environ["SOURCES"]), Path(os.environ["BUILD"])
TEXT = re.sub(r"^#.*\n", "", (SOURCES / "packaging/container/Containerfile").read_text(), flags=re.M).replace("\\\n", "")
STAGES = [[line.split(None, 1) for line in stage.splitlines() if line] for stage in TEXT.split("FROM ")[1:]]


def output(*words, **options):
    return subprocess.run([str(word) for word in words], check=True, stdout=subprocess.PIPE, text=True, **options).stdout


def arguments(stage, instruction):
    return [rest for name, rest in STAGES[stage][1:] if name == instruction]


def installed(stage):
    """The packages that apt-get installs."""
    found = re.search(r"apt-get install ([^&]*)", arguments(stage, "RUN")[0])[1]
    return {word for word in found.split() if not word.startswith("-")}


def test_both_stages_begin_with_debian_12():
    assert [stage[0][0] for stage in STAGES] == ["debian:12-slim"] * 2


def test_the_build_has_what_it_needs():
    needed = re.search(r"need_to_build\(\) \{\n\tneed (.*?)\n\tneed_llhttp", (SOURCES / "packaging/debian.sh").read_text(), re.S)[1]
    assert installed(0) == {*needed.replace("\\", "").split(), "ca-certificates", "node-llhttp"}


def linked(program):
    """The packages of the libraries that the program names."""
    names = re.findall(r"\(NEEDED\).*\[(.*)\]", output("readelf", "-d", program))
    places = dict(re.findall(r"(\S+) => (\S+)", output("ldd", program)))
    files = [Path(places[name]).resolve() for name in names if name in places]
    owners = output("dpkg", "-S", *(f"*/{file.parent.name}/{file.name}" for file in files))
    return {line.split(":")[0] for line in owners.splitlines()} - {"libc6"}


@pytest.mark.skipif("libasan" in output("ldd", os.environ["SEVQD"]), reason="a sanitizer adds libraries")
def test_the_image_has_the_libraries_of_the_programs():
    assert installed(1) == linked(os.environ["SEVQD"]) | linked(os.environ["SEVQ"])


def test_the_image_has_what_the_build_installs():
    places = json.loads(output("meson", "introspect", "--installed", BUILD))
    prefix = next(option["value"] for option in json.loads(output("meson", "introspect", "--buildoptions", BUILD)) if option["name"] == "prefix")
    places = {"/" + os.path.relpath(place, prefix) for place in places.values()}
    copied = [word for line in arguments(1, "COPY") for word in shlex.split(line) if word.startswith("/image")]
    assert len(copied) == 3
    for word in copied:
        ours = re.sub("^/image(/usr)?", "", word)
        assert any(place == ours or place.startswith(ours + "/") for place in places), (word, places)


def test_the_server_is_not_root_and_keeps_its_state_in_a_volume():
    assert re.search(r"useradd .*sevqd", " ".join(arguments(1, "RUN"))) and arguments(1, "USER") == ["sevqd"]
    names = [name for name, _ in STAGES[1][1:]]
    assert names.index("USER") < names.index("ENTRYPOINT")
    assert arguments(1, "VOLUME") == ["/var/lib/sevq"] and arguments(1, "ENTRYPOINT") == ['["sevqd"]']
    assert "sevq" in arguments(1, "HEALTHCHECK")[0]


def test_the_server_understands_its_environment():
    env = dict(word.split("=", 1) for line in arguments(1, "ENV") for word in shlex.split(line))
    said = json.loads(output(os.environ["SEVQD"], "--print-config", env={**env, "HOME": "/none"}))
    assert said["db"] == "/var/lib/sevq/sevq.db" and said["listen"] == [f"0.0.0.0:{arguments(1, 'EXPOSE')[0]}"]
