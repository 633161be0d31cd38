"""AWS WAF at the edge location: parse a web ACL, and evaluate its rules before a request."""
