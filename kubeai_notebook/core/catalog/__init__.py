"""What can be served: small models that are known, what lies on this machine, what the cluster has Models of."""
