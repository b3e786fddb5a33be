"""The files of docs/deploy: in their formats, and in accord with the code. Nothing is deployed."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator, Draft202012Validator

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "docs" / "deploy"
SCHEMAS = Path(__file__).with_name("schemas")
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
MANIFESTS = list(yaml.safe_load_all((DEPLOY / "kuberay.yaml").read_text()))
RAYCLUSTER = json.loads((SCHEMAS / "raycluster.json").read_text())
OURS = set(
    re.findall(
        r'"((?:ALGORIUM|OIDC)_[A-Z_]+|DATABASE_URL|RAY_ADDRESS|DATA_URL)"',
        (ROOT / "core" / "settings.py").read_text(),
    )
)
# Read by what is not ours: Ray, fsspec's object stores, PostgreSQL's image.
OTHERS = re.compile(r"RAY_[A-Za-z_]+|AWS_[A-Z_]+|POSTGRES_[A-Z]+")
SANDBOXES = {"SYS_ADMIN", "NET_ADMIN"}


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [one for one in MANIFESTS if one["kind"] == kind]


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every template of pods, by the name of what runs in it."""
    for kind in ("Deployment", "Job"):
        for one in of_kind(kind):
            template = one["spec"]["template"]
            yield template["spec"]["containers"][0]["name"], template
    (cluster,) = of_kind("RayCluster")
    for group in (cluster["spec"]["headGroupSpec"], *cluster["spec"]["workerGroupSpecs"]):
        yield group["template"]["spec"]["containers"][0]["name"], group["template"]


def test_the_compose_file_keeps_to_its_specification() -> None:
    Draft7Validator(json.loads((SCHEMAS / "compose.json").read_text())).validate(COMPOSE)


def test_the_cluster_keeps_to_the_operators_definition() -> None:
    (cluster,) = of_kind("RayCluster")
    Draft202012Validator(RAYCLUSTER).validate(cluster)
    wrong = json.loads(json.dumps(cluster))
    wrong["spec"]["headGroupSpec"]["template"]["spec"]["containers"][0]["imagge"] = "x"
    assert not Draft202012Validator(RAYCLUSTER).is_valid(wrong)


@pytest.mark.parametrize(("name", "template"), list(pods()), ids=[name for name, _ in pods()])
def test_every_pod_is_one_that_kubernetes_takes(name: str, template: dict[str, Any]) -> None:
    schema = {"$defs": RAYCLUSTER["$defs"], "$ref": "#/$defs/pod"}
    Draft202012Validator(schema).validate(template)


def test_every_object_is_whole() -> None:
    for one in MANIFESTS:
        assert {"apiVersion", "kind", "metadata"} <= one.keys()
        assert one["metadata"].get("namespace") == "algorium" or one["kind"] == "Namespace"
    for one in of_kind("Deployment"):
        labels = one["spec"]["template"]["metadata"]["labels"]
        assert one["spec"]["selector"]["matchLabels"].items() <= labels.items()
    (service,) = of_kind("Service")
    assert any(
        service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
        for name, template in pods()
        if name == "web"
    )


def test_what_pods_refer_to_is_there() -> None:
    there = {(one["kind"], one["metadata"]["name"]) for one in MANIFESTS}
    kinds = {"configMapRef": "ConfigMap", "secretRef": "Secret"}
    for _, template in pods():
        volumes = {volume["name"] for volume in template["spec"].get("volumes", [])}
        for container in template["spec"]["containers"]:
            for source in container.get("envFrom", []):
                for reference, named in source.items():
                    assert (kinds[reference], named["name"]) in there
            assert {mount["name"] for mount in container.get("volumeMounts", [])} <= volumes
    (cluster,) = of_kind("RayCluster")
    secret = next(
        one
        for one in of_kind("Secret")
        if one["metadata"]["name"] == cluster["spec"]["authOptions"]["secretName"]
    )
    assert "auth_token" in secret["stringData"]  # by this name the operator looks for it


def test_every_setting_in_them_is_one_that_is_read() -> None:
    named = {name for one in of_kind("ConfigMap") for name in one["data"]}
    named |= {name for one in of_kind("Secret") for name in one["stringData"]} - {"auth_token"}
    for _, template in pods():
        for container in template["spec"]["containers"]:
            named |= {one["name"] for one in container.get("env", [])}
    for service in COMPOSE["services"].values():
        named |= service.get("environment", {}).keys()
    unknown = {name for name in named - OURS if not OTHERS.fullmatch(name)}
    assert not unknown
    needed = {"DATABASE_URL", "RAY_ADDRESS", "DATA_URL", "ALGORIUM_SECRET", "ALGORIUM_URL"}
    assert needed <= named


def test_whatever_is_asked_for_is_in_the_example() -> None:
    asked = set(re.findall(r"\$\{([A-Z_]+)", (DEPLOY / "compose.yaml").read_text()))
    given = set(re.findall(r"^([A-Z_]+)=", (DEPLOY / "env.example").read_text(), re.MULTILINE))
    assert asked == given


def test_only_what_runs_algorithms_has_the_privileges_for_it() -> None:
    for name, template in pods():
        context = template["spec"]["containers"][0].get("securityContext", {})
        added = set(context.get("capabilities", {}).get("add", []))
        assert added == (SANDBOXES if name in {"ray-node", "worker"} else set()), name
    for name, service in COMPOSE["services"].items():
        assert set(service.get("cap_add", [])) == (
            SANDBOXES if name in {"ray-node", "worker"} else set()
        ), name


def test_nodes_know_no_key_but_the_stores() -> None:
    for name, template in pods():
        if name.startswith("ray-"):
            container = template["spec"]["containers"][0]
            assert container.get("envFrom", []) in (
                [],
                [{"secretRef": {"name": "algorium-store"}}],
            )
    for name in ("ray-head", "ray-node"):
        told = COMPOSE["services"][name]["environment"]
        assert not {"DATABASE_URL", "ALGORIUM_SECRET", "OIDC_CLIENT_SECRET"} & told.keys()


def test_they_name_the_ray_that_is_pinned() -> None:
    pinned = re.search(r"ray\[serve\]==([\d.]+)", (ROOT / "pyproject.toml").read_text())
    assert pinned is not None
    (cluster,) = of_kind("RayCluster")
    assert cluster["spec"]["rayVersion"] == pinned[1]


def test_the_image_is_made_of_what_is_there() -> None:
    text = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line.split(None, 1) for line in text.splitlines() if line and line[0] != "#"]
    known = {"FROM", "RUN", "WORKDIR", "COPY", "ENV", "VOLUME", "EXPOSE", "ENTRYPOINT", "CMD"}
    assert {line[0] for line in lines} <= known
    for kind, value in lines:
        if kind in {"ENTRYPOINT", "CMD"}:
            assert all(isinstance(part, str) for part in json.loads(value))
    assert (ROOT / "bootstrap.py").is_file()
    extras = re.search(r"^cluster = \[(.*)\]$", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert extras is not None
    for package in re.findall(r'"([^"]+)"', extras[1]):
        assert package in text
