"""Fault injection: send events while calls fail, repair as an operator does, check the lake."""
