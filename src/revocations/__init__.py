"""Revoke tokens before their expiry: sign users out everywhere, and publish the deny-list."""
