"""What has to stand at the servers before a service runs: roles, users, rights, queues and passwords."""
