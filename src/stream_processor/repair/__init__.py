"""Operator commands that verify the lake and write what is missing. Imports no Lambda handler."""
