# SPDX-License-Identifier: MIT
"""deployment/azure, as far as it can be checked without Azure: nothing here has seen a subscription or the Bicep compiler.

The shell script runs whole, with programs in PATH that write down how they are called; the PowerShell twin is held against it by its text.
"""

import json
import os
import re
import subprocess
from pathlib import Path

import jsonschema
import pytest
import yaml

from rendering import ROOT

AZURE = ROOT / "deployment" / "azure"
BICEP = (AZURE / "main.bicep").read_text()
SHELL = (AZURE / "azure-deploy.sh").read_text()
POWERSHELL = (AZURE / "azure-deploy.ps1").read_text()
OUTPUTS = {
    "registryName": "acrtest", "registryServer": "acrtest.azurecr.io", "clusterName": "mg-aks-test", "hostName": "mg-1.westus3.cloudapp.azure.com",
    "workloadClientId": "22222222-2222-2222-2222-222222222222", "serviceAddress": "10.240.255.10"}
CLIENT = "11111111-1111-1111-1111-111111111111"


class Run:
    def __init__(self, code: int, calls: list[list[str]], parameters: dict | None, error: str) -> None:
        self.code, self.calls, self.parameters, self.error = code, calls, parameters, error

    def starting(self, *words: str) -> list[list[str]]:
        return [call for call in self.calls if call[: len(words)] == list(words)]


@pytest.fixture
def deploy(tmp_path: Path):
    """Runs azure-deploy.sh with these arguments; every program it calls writes down its own."""
    programs = tmp_path / "bin"
    programs.mkdir()
    recorder = f"""#!/usr/bin/env python3
import json, os, sys
name = os.path.basename(sys.argv[0])
with open({str(tmp_path / 'calls')!r}, "a") as file:
    file.write(json.dumps([name, *sys.argv[1:]]) + "\\n")
for argument in sys.argv:
    if argument.startswith("@"):
        assert os.stat(argument[1:]).st_mode & 0o077 == 0
        open({str(tmp_path / 'parameters')!r}, "w").write(open(argument[1:]).read())
outputs = json.loads({json.dumps(OUTPUTS)!r})
if "--query" in sys.argv:
    print(outputs[sys.argv[sys.argv.index("--query") + 1].split(".")[2]])
"""
    for name in ("az", "kubectl", "helm"):
        (programs / name).write_text(recorder)
        (programs / name).chmod(0o755)

    def run(*arguments: str) -> Run:
        done = subprocess.run(
            [AZURE / "azure-deploy.sh", *arguments], capture_output=True, text=True, timeout=60,
            env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "TMPDIR": str(tmp_path)})
        calls, parameters = tmp_path / "calls", tmp_path / "parameters"
        return Run(
            done.returncode, [json.loads(line) for line in calls.read_text().splitlines()] if calls.exists() else [],
            json.loads(parameters.read_text()) if parameters.exists() else None, done.stderr)

    return run


def test_everything_is_made_in_the_named_group(deploy) -> None:
    run = deploy("-ResourceGroupName", "test", "-ClientId", CLIENT)
    assert run.code == 0, run.error
    assert run.starting("az", "group", "create") == [["az", "group", "create", "--name", "test", "--location", "westus3", "--output", "none"]]
    [helm] = run.starting("helm")
    assert "image.repository=acrtest.azurecr.io/mcp-gateway" in helm
    assert r"settings.kubernetes\.registry=acrtest.azurecr.io" in helm
    assert [call for call in run.calls if call[0] == "kubectl"]


def test_nobody_on_the_internet_is_let_in_unless_named(deploy) -> None:
    assert deploy("-ResourceGroupName", "test", "-ClientId", CLIENT).parameters["parameters"]["allowedSources"] == {"value": []}


def test_named_sources_are_let_in(deploy) -> None:
    run = deploy("-ResourceGroupName", "test", "-ClientId", CLIENT, "-AllowedSources", "192.0.2.0/24,198.51.100.7/32", "-Location", "northeurope")
    assert run.parameters["parameters"]["allowedSources"] == {"value": ["192.0.2.0/24", "198.51.100.7/32"]}
    assert "northeurope" in run.starting("az", "group", "create")[0]


def test_secrets_are_new_each_time_and_never_in_arguments_and_not_left_behind(deploy, tmp_path: Path) -> None:
    first = deploy("-ResourceGroupName", "test", "-ClientId", CLIENT)
    secrets = [first.parameters["parameters"][name]["value"] for name in ("certificate", "certificatePassword")]
    second = deploy("-ResourceGroupName", "test", "-ClientId", CLIENT)
    for index, name in enumerate(("certificate", "certificatePassword")):
        assert len(secrets[index]) >= 40 and secrets[index] != second.parameters["parameters"][name]["value"]
    for call in second.calls:
        assert not [secret for secret in secrets if secret in " ".join(call)]
    assert {path.name for path in tmp_path.iterdir()} == {"bin", "calls", "parameters"}


def test_certificate_is_one_that_can_be_read(deploy, tmp_path: Path) -> None:
    parameters = deploy("-ResourceGroupName", "test", "-ClientId", CLIENT).parameters["parameters"]
    file = tmp_path / "certificate.pfx"
    decoded = subprocess.run(["base64", "--decode"], input=parameters["certificate"]["value"].encode(), capture_output=True, check=True)
    file.write_bytes(decoded.stdout)
    shown = subprocess.run(
        ["openssl", "pkcs12", "-legacy", "-in", file, "-nokeys", "-passin", f"pass:{parameters['certificatePassword']['value']}"],
        capture_output=True, text=True)
    assert "BEGIN CERTIFICATE" in shown.stdout, shown.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["-ResourceGroupName", "test"],
        ["-ClientId", CLIENT],
        ["-ResourceGroupName", "a b", "-ClientId", CLIENT],
        ["-ResourceGroupName", "test", "-ClientId", "me"],
        ["-ResourceGroupName", "test", "-ClientId", CLIENT, "-AllowedSources", "everybody"],
        ["-ResourceGroupName", "test", "-ClientId", CLIENT, "-Unknown", "x"],
    ],
)
def test_wrong_arguments_change_nothing(deploy, arguments: list[str]) -> None:
    run = deploy(*arguments)
    assert run.code != 0 and run.calls == [] and run.error


def test_names_are_the_agreed_ones() -> None:
    for name in ("mg-aks-", "mg-aag-", "mg-ai-", "mg-identity-", "mg-pip-", "mg-vnet-"):
        assert f"'{name}${{group}}'" in BICEP
    assert "'acr${" in BICEP


def test_template_has_no_value_of_a_secret_and_is_balanced() -> None:
    code = re.sub(r"(?m)(?<!:)//.*$", "", BICEP)
    for opening, closing in ("{}", "[]", "()"):
        assert code.count(opening) == code.count(closing)
    assert BICEP.count("@secure()") == 2
    assert not re.search(r"listKeys|listCredentials|adminUserEnabled: true", BICEP)


def test_every_parameter_without_a_value_is_given_by_both_scripts() -> None:
    needed = re.findall(r"(?m)^param (\w+) \w+$", BICEP)
    assert needed == ["clientId", "certificate", "certificatePassword"]
    for name in [*needed, "allowedSources"]:
        assert f'"{name}": {{"value"' in SHELL
        assert re.search(rf"{name} +=", POWERSHELL)


def test_scripts_use_only_what_the_template_gives() -> None:
    given = set(re.findall(r"(?m)^output (\w+) ", BICEP))
    assert given == set(OUTPUTS)
    assert set(re.findall(r"\$\(output (\w+)\)", SHELL)) <= given
    assert set(re.findall(r"\$outputs\.(\w+)\.value", POWERSHELL)) <= given


def test_both_scripts_do_the_same() -> None:
    def words(text: str) -> list[str]:
        return re.findall(r"'?(group|acr|aks|deployment|apply|upgrade)'?,? '?(create|build|get-credentials|group|--filename|--install|--server-side)", text)

    assert set(words(SHELL)) == set(words(POWERSHELL)) and len(set(words(SHELL))) == 7
    for option in ("ResourceGroupName", "ClientId", "Location", "AllowedSources", "CertificateFile", "ImageTag"):
        assert f"-{option}" in SHELL and f"${option}" in POWERSHELL
    assert "location=westus3" in SHELL and "$Location = 'westus3'" in POWERSHELL


def test_values_fit_the_chart_and_the_template() -> None:
    values = yaml.safe_load((AZURE / "gateway.values.yaml").read_text())
    chart = ROOT / "deployment" / "helm" / "mcp-gateway"
    schema = json.loads((chart / "values.schema.json").read_text())
    jsonschema.validate({**yaml.safe_load((chart / "values.yaml").read_text()), **values}, schema)
    address = values["service"]["annotations"]["service.beta.kubernetes.io/azure-load-balancer-ipv4"]
    assert f"var serviceAddress = '{address}'" in BICEP
    [client] = values["networkPolicy"]["clients"]
    assert f"addressPrefix: '{client['ipBlock']['cidr']}'" in BICEP
