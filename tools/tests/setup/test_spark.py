"""Tests of the installation of Spark's Java."""

import os
import subprocess
from pathlib import Path

import pytest

from tools.setup import spark


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An environment in a folder with a space, whose Java prints its arguments."""
    environment = tmp_path / "with a space"
    java = environment / spark._JAVA
    java.parent.mkdir(parents=True)
    java.write_text('#!/bin/sh\nfor argument do echo "<$argument>"; done\n')
    java.chmod(0o755)
    return environment


def test_java_gets_each_argument_but_the_incubator_module(folder: Path) -> None:
    home = spark.write_java_home(folder)
    arguments = ["-Xmx1g", "--add-modules=jdk.incubator.vector", "a b", "", "--add-opens=x=y"]
    java = home / "bin" / "java"
    done = subprocess.run([java, *arguments], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:-1] == ["<-Xmx1g>", "<a b>", "<>", "<--add-opens=x=y>"]
    assert os.access(java, os.X_OK)


def test_environment_of_other_versions_is_not_installed(folder: Path) -> None:
    assert not spark.is_installed(folder)
    (folder / spark.LOCK.name).write_bytes(spark.LOCK.read_bytes())
    assert spark.is_installed(folder)
    (folder / spark.LOCK.name).write_text("pyspark==3.5.0\n")
    assert not spark.is_installed(folder)


def test_failed_installation_prints_a_warning_and_is_repeated(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = subprocess.CompletedProcess([], 1, "", "no network")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    assert not spark.install(folder)
    assert "WARNING: Can't install Spark" in capsys.readouterr().out
    assert not spark.is_installed(folder)
