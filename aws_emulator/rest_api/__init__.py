"""Serve deployed REST APIs of API Gateway that call AWS services directly, without Lambda."""
