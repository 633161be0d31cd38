"""This project's part of `make dev`: sources, bytecode, pages and the deployment to update."""

import fcntl
import importlib.util
import re
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Final

from aws_emulator.reload.code_update import Deployed
from aws_emulator.reload.follow import Sources
from aws_emulator.reload.pages import PagesFolder
from aws_emulator.reload.reloader import BUILD_INPUTS, Project, Reloader
from tools.dev.sam_deployment import build_lock
from tools.dev.system import System
from tools.paths import ROOT
from tools.portal import PAGES, assets_version, put_file
from tools.stack import EDGE_REGION, StackTarget, client

TEMPLATE: Final = ROOT / "template.yaml"
BUILD: Final = ROOT / ".aws-sam" / "build" / "template.yaml"
#: Files that the rules of src/Makefile read.
PROJECT_BUILD_INPUTS: Final = ("bytecode.py", "prune-*.txt")
#: Functions whose package has bytecode only, in src/Makefile.
_BYTECODE_ONLY: Final = re.compile(r"^build-(\w+):\s+BYTECODE = only$", re.MULTILINE)


def sources() -> Sources:
    """Return the files that `make dev` follows.

    Raises:
        TemplateError: A template can't be read.
    """
    return Sources.of(TEMPLATE, [PAGES])


def reloader(running: System, show: Callable[[str], None]) -> Reloader:
    """Return the reloader of a running system, which shows each reload.

    Another command can be building: `sam build` deletes the output first.

    Raises:
        TemplateError: A template can't be read.
    """
    with build_lock(fcntl.LOCK_SH):
        return Reloader(project(running), show)


def project(running: System) -> Project:
    """Return the project and its deployment in all Regions of the running system."""
    regions = dict.fromkeys((*running.regions, EDGE_REGION))
    targets = [StackTarget(running.target.endpoint, region) for region in regions]
    bucket = running.deployed.outputs["PortalBucket"]
    # The running pages name the copies of the start, which a change replaces.
    put = partial(put_file, origin=running.url, assets_s=0, version=assets_version())
    return Project(
        root=ROOT,
        template=TEMPLATE,
        build=BUILD,
        deployed=[Deployed(it.regional_endpoint, it.stack_name) for it in targets],
        rebuild=running.deploy_again,
        distributions=list(running.urls.values()),
        pages=[PagesFolder(PAGES, bucket, lambda: client("s3", running.target), put)],
        compilers=bytecode_compilers(),
        build_inputs=(*BUILD_INPUTS, *PROJECT_BUILD_INPUTS),
    )


def bytecode_compilers() -> dict[str, Callable[[bytes, str], bytes]]:
    """Return the compilers of functions whose package has bytecode only, by logical ID.

    They compile as the build does, but keep line numbers, so that messages show them.
    """
    compile_source = partial(_load_bytecode().compile_source, line_numbers=True)
    names = _BYTECODE_ONLY.findall((ROOT / "src" / "Makefile").read_text())
    return dict.fromkeys(names, compile_source)


def _load_bytecode() -> ModuleType:
    """Import src/bytecode.py, which the build runs as a program."""
    spec = importlib.util.spec_from_file_location("bytecode", ROOT / "src" / "bytecode.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
