"""PostgreSQL, Valkey and a load balancer of one Region, as processes on this computer."""
