"""Tests of the documents: links, paths, commands, diagram, runbook and vocabulary."""
