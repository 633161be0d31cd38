"""The custom resource that reserves concurrency as far as the account's quota allows.

Lambda refuses a reservation that leaves less than 100 executions unreserved, and a new account has
a quota of 10. With fixed numbers in the template, the first deployment of such an account would
fail.
"""
