"""Operator commands that verify the lake and write missing records. Imports no Lambda handler."""
