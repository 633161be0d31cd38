"""Tests of the build steps in src/."""
