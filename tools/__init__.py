"""This project's tools: local runs, replay, report, fault injection, operations and deployment."""
