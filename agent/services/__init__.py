"""One composition root for each process, the supervisor and the socket layer."""
